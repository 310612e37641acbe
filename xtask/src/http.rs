//! As much of an HTTP client as loopback needs: one kept connection, no time spent on anything else.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use anyhow::Result;

/// A kept connection.
pub(crate) struct Connection {
    address: String,
    reader: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn open(address: &str) -> Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Connection { address: address.to_owned(), reader: BufReader::new(stream) })
    }

    pub(crate) fn get(&mut self, target: &str) -> Result<String> {
        self.send("GET", target, "")
    }

    /// Sends `body` as JSON, where there is one, and answers the body of the answer, whatever its status.
    pub(crate) fn send(&mut self, method: &str, target: &str, body: &str) -> Result<String> {
        self.send_as("application/json", method, target, body)
    }

    /// As [`Connection::send`], of another media type.
    pub(crate) fn send_as(
        &mut self,
        media_type: &str,
        method: &str,
        target: &str,
        body: &str,
    ) -> Result<String> {
        self.send_with(&format!("Content-Type: {media_type}\r\n"), method, target, body)
    }

    /// As [`Connection::send`], with these header lines alone beside those that each request has.
    pub(crate) fn send_with(
        &mut self,
        headers: &str,
        method: &str,
        target: &str,
        body: &str,
    ) -> Result<String> {
        write!(
            self.reader.get_mut(),
            "{method} {target} HTTP/1.1\r\nHost: {}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )?;
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            self.reader.read_line(&mut line)?;
            let header = line.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body)?;
        Ok(String::from_utf8(body)?)
    }
}
