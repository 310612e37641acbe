//! Brotli and gzip siblings, at their highest levels; remembered by content, because level 11 is slow.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

use super::manifest::ContentType;
use super::sha256;

/// What a server may send in place of a file; nothing where that would not be smaller.
pub(super) struct Compressed {
    pub(super) brotli: Option<Vec<u8>>,
    pub(super) gzip: Option<Vec<u8>>,
}

/// Compresses each file whose type gains by it.
pub(super) fn all(files: &BTreeMap<String, Vec<u8>>, memory: &Path) -> Result<BTreeMap<String, Compressed>> {
    let mut used = HashSet::new();
    let mut compressed = BTreeMap::new();
    for (path, content) in files {
        if !ContentType::of(path)?.compresses() {
            continue;
        }
        let mut remembered =
            |extension: &str, make: fn(&[u8]) -> Result<Vec<u8>>| -> Result<Option<Vec<u8>>> {
                let name = format!("{}.{extension}", sha256(content));
                let file = memory.join(&name);
                used.insert(OsString::from(name));
                let made = match fs::read(&file) {
                    Ok(made) => made,
                    Err(_) => {
                        let made = make(content).with_context(|| format!("cannot compress {path}"))?;
                        fs::write(&file, &made)?;
                        made
                    }
                };
                Ok((made.len() < content.len()).then_some(made))
            };
        let both = Compressed { brotli: remembered("br", brotli)?, gzip: remembered("gz", gzip)? };
        compressed.insert(path.clone(), both);
    }
    for entry in fs::read_dir(memory)? {
        let entry = entry?;
        if !used.contains(&entry.file_name()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(compressed)
}

fn brotli(content: &[u8]) -> Result<Vec<u8>> {
    // 22 is the largest window that browsers take without an extension of the format.
    let parameters = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut &content[..], &mut out, &parameters)?;
    Ok(out)
}

fn gzip(content: &[u8]) -> Result<Vec<u8>> {
    // The builder leaves name and time out, so that equal content gives equal bytes.
    let mut encoder = flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::best());
    encoder.write_all(content)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn siblings_hold_the_same_content() {
        let content = b"export const gate = 'closed'; ".repeat(50);
        let memory = tempfile::tempdir().unwrap();
        let files = BTreeMap::from([("pkg/1/a.js".to_owned(), content.clone())]);
        for _ in 0..2 {
            let made = all(&files, memory.path()).unwrap();
            let both = &made["pkg/1/a.js"];
            let mut text = Vec::new();
            brotli::Decompressor::new(both.brotli.as_deref().unwrap(), 4096).read_to_end(&mut text).unwrap();
            assert_eq!(text, content);
            text.clear();
            flate2::read::GzDecoder::new(both.gzip.as_deref().unwrap()).read_to_end(&mut text).unwrap();
            assert_eq!(text, content);
        }
        assert_eq!(fs::read_dir(memory.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_does_not_shrink_has_no_siblings() {
        let memory = tempfile::tempdir().unwrap();
        let files =
            BTreeMap::from([("a.js".to_owned(), b"1".to_vec()), ("icon.png".to_owned(), vec![0; 4096])]);
        let made = all(&files, memory.path()).unwrap();
        assert!(made["a.js"].brotli.is_none());
        assert!(!made.contains_key("icon.png"), "a picture is compressed already");
    }
}
