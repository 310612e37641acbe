//! An EC2 of fixed cost: 10,000 recorded instances, rendered before the clock starts, over HTTP with kept connections.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context, Result};

pub(super) const INSTANCES: usize = 10_000;
/// One in four allows IMDSv1.
pub(super) const OPTIONAL: usize = INSTANCES / 4;

const EC2: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";
const ACCOUNT: &str = "111111111111";

/// A listening stub; it ends with this program.
pub(super) struct Stub {
    pub(super) url: String,
}

struct Fleet {
    instances: Vec<String>,
    most: usize,
    /// By their first instance and their size.
    pages: Mutex<HashMap<(usize, usize), Page>>,
}

type Page = Arc<Vec<u8>>;

/// Starts a stub of `instances` that answers with at most `most` of them a page.
pub(super) fn start(instances: usize, most: usize) -> Result<Stub> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot bind a port on 127.0.0.1")?;
    let url = format!("http://{}", listener.local_addr()?);
    let fleet = Arc::new(Fleet {
        instances: (0..instances).map(instance).collect(),
        most,
        pages: Mutex::new(HashMap::new()),
    });
    for start in (0..instances).step_by(most) {
        fleet.page(start, most);
    }
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let fleet = Arc::clone(&fleet);
            // A client that goes away in the middle is its own affair.
            thread::spawn(move || fleet.serve(stream).ok());
        }
    });
    Ok(Stub { url })
}

impl Fleet {
    fn serve(&self, stream: TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut stream = stream;
        while let Some(form) = read_request(&mut reader)? {
            let (status, body) = self.answer(&form);
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: text/xml;charset=UTF-8\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes())?;
            stream.write_all(&body)?;
        }
        Ok(())
    }

    fn answer(&self, form: &HashMap<String, String>) -> (&'static str, Page) {
        let action = form.get("Action").map_or("", String::as_str);
        let text = match action {
            "DescribeInstances" => {
                let start = form.get("NextToken").and_then(|token| token.parse().ok()).unwrap_or(0);
                let asked = form.get("MaxResults").and_then(|most| most.parse().ok()).unwrap_or(self.most);
                return ("200 OK", self.page(start, asked.min(self.most).max(1)));
            }
            "DescribeRegions" => ec2_response(
                action,
                "<regionInfo><item><regionName>us-east-1</regionName>\
                 <regionEndpoint>ec2.us-east-1.amazonaws.com</regionEndpoint>\
                 <optInStatus>opt-in-not-required</optInStatus></item></regionInfo>",
            ),
            "GetInstanceMetadataDefaults" => {
                ec2_response(action, "<accountLevel><managedBy>account</managedBy></accountLevel>")
            }
            "GetCallerIdentity" => format!(
                "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                 <Arn>arn:aws:iam::{ACCOUNT}:user/bench</Arn><UserId>AIDABENCH</UserId><Account>{ACCOUNT}</Account>\
                 </GetCallerIdentityResult><ResponseMetadata><RequestId>bench</RequestId></ResponseMetadata>\
                 </GetCallerIdentityResponse>"
            ),
            _ => {
                let text = format!(
                    "<Response><Errors><Error><Code>InvalidAction</Code><Message>The action {action} is not valid \
                     for this web service.</Message></Error></Errors><RequestID>bench</RequestID></Response>"
                );
                return ("400 Bad Request", Arc::new(text.into_bytes()));
            }
        };
        ("200 OK", Arc::new(text.into_bytes()))
    }

    /// A page, rendered when it is first asked for.
    fn page(&self, start: usize, most: usize) -> Page {
        let mut pages = self.pages.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(pages.entry((start, most)).or_insert_with(|| {
            let end = (start + most).min(self.instances.len());
            let items = self.instances.get(start..end).unwrap_or_default().concat();
            let token = if end < self.instances.len() {
                format!("<nextToken>{end}</nextToken>")
            } else {
                String::new()
            };
            let body = format!("<reservationSet>{items}</reservationSet>{token}");
            Arc::new(ec2_response("DescribeInstances", &body).into_bytes())
        }))
    }
}

fn ec2_response(action: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{action}Response xmlns=\"{EC2}\"><requestId>bench</requestId>{body}\
         </{action}Response>"
    )
}

/// The parameters of the next request; `None` when the client has closed the connection.
fn read_request(reader: &mut impl BufRead) -> Result<Option<HashMap<String, String>>> {
    let mut length = 0;
    let mut line = String::new();
    let mut target = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let text = line.trim_end();
        if text.is_empty() {
            break;
        }
        if target.is_empty() {
            target = text.split(' ').nth(1).unwrap_or_default().to_owned();
        } else if let Some((name, value)) = text.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().context("a Content-Length is not a number")?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body).into_owned();
    let query = target.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default();
    let pairs = [query, body].join("&");
    Ok(Some(
        pairs
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
    ))
}

pub(super) fn instance_id(index: usize) -> String {
    format!("i-0be{index:014x}")
}

/// One reservation of one instance, with as many fields as a real one has: about 3 KB.
fn instance(index: usize) -> String {
    let id = instance_id(index);
    let tokens = if index.is_multiple_of(INSTANCES / OPTIONAL) { "optional" } else { "required" };
    let host = format!("10-{}-{}-{}", index / 65_536, index / 256 % 256, index % 256);
    let ip = host.replace('-', ".");
    let tags: String = [
        ("Name", format!("checkout-web-{index}")),
        ("team", ["payments", "discovery", "platform", "data"][index % 4].to_owned()),
        ("env", "prod".to_owned()),
        ("aws:autoscaling:groupName", format!("checkout-web-{}", index % 40)),
        ("aws:ec2launchtemplate:id", "lt-0a1b2c3d4e5f60718".to_owned()),
        ("aws:ec2launchtemplate:version", "12".to_owned()),
    ]
    .into_iter()
    .map(|(key, value)| format!("<item><key>{key}</key><value>{value}</value></item>"))
    .collect();
    format!(
        "<item><reservationId>r-0be{index:014x}</reservationId><ownerId>{ACCOUNT}</ownerId><groupSet/><instancesSet><item>\
         <instanceId>{id}</instanceId><imageId>ami-0a1b2c3d4e5f60718</imageId>\
         <instanceState><code>16</code><name>running</name></instanceState>\
         <privateDnsName>ip-{host}.ec2.internal</privateDnsName><dnsName/><reason/><keyName>operations</keyName>\
         <amiLaunchIndex>0</amiLaunchIndex><productCodes/><instanceType>m7g.large</instanceType>\
         <launchTime>2026-03-14T09:26:53.000Z</launchTime>\
         <placement><availabilityZone>us-east-1a</availabilityZone><groupName/><tenancy>default</tenancy></placement>\
         <monitoring><state>disabled</state></monitoring><subnetId>subnet-0a1b2c3d4e5f60718</subnetId>\
         <vpcId>vpc-0a1b2c3d4e5f60718</vpcId><privateIpAddress>{ip}</privateIpAddress>\
         <sourceDestCheck>true</sourceDestCheck><groupSet><item><groupId>sg-0a1b2c3d4e5f60718</groupId>\
         <groupName>checkout-web</groupName></item></groupSet><architecture>arm64</architecture>\
         <rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/xvda</rootDeviceName><blockDeviceMapping><item>\
         <deviceName>/dev/xvda</deviceName><ebs><volumeId>vol-0be{index:014x}</volumeId><status>attached</status>\
         <attachTime>2026-03-14T09:26:54.000Z</attachTime><deleteOnTermination>true</deleteOnTermination></ebs></item>\
         </blockDeviceMapping><virtualizationType>hvm</virtualizationType><clientToken>fleet-{index}</clientToken>\
         <tagSet>{tags}</tagSet><hypervisor>xen</hypervisor><networkInterfaceSet><item>\
         <networkInterfaceId>eni-0be{index:014x}</networkInterfaceId><subnetId>subnet-0a1b2c3d4e5f60718</subnetId>\
         <vpcId>vpc-0a1b2c3d4e5f60718</vpcId><description/><ownerId>{ACCOUNT}</ownerId><status>in-use</status>\
         <macAddress>0a:1b:2c:3d:4e:5f</macAddress><privateIpAddress>{ip}</privateIpAddress>\
         <privateDnsName>ip-{host}.ec2.internal</privateDnsName><sourceDestCheck>true</sourceDestCheck>\
         <groupSet><item><groupId>sg-0a1b2c3d4e5f60718</groupId><groupName>checkout-web</groupName></item></groupSet>\
         <attachment><attachmentId>eni-attach-0be{index:014x}</attachmentId><deviceIndex>0</deviceIndex>\
         <status>attached</status><attachTime>2026-03-14T09:26:53.000Z</attachTime>\
         <deleteOnTermination>true</deleteOnTermination></attachment><interfaceType>interface</interfaceType></item>\
         </networkInterfaceSet><iamInstanceProfile><arn>arn:aws:iam::{ACCOUNT}:instance-profile/checkout-web</arn>\
         <id>AIPA0A1B2C3D4E5F60718</id></iamInstanceProfile><ebsOptimized>false</ebsOptimized>\
         <enaSupport>true</enaSupport><cpuOptions><coreCount>2</coreCount><threadsPerCore>1</threadsPerCore></cpuOptions>\
         <capacityReservationSpecification><capacityReservationPreference>open</capacityReservationPreference>\
         </capacityReservationSpecification><hibernationOptions><configured>false</configured></hibernationOptions>\
         <metadataOptions><state>applied</state><httpTokens>{tokens}</httpTokens>\
         <httpPutResponseHopLimit>2</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint>\
         <httpProtocolIpv6>disabled</httpProtocolIpv6><instanceMetadataTags>disabled</instanceMetadataTags>\
         </metadataOptions><enclaveOptions><enabled>false</enabled></enclaveOptions><bootMode>uefi</bootMode>\
         <platformDetails>Linux/UNIX</platformDetails><usageOperation>RunInstances</usageOperation>\
         <maintenanceOptions><autoRecovery>default</autoRecovery></maintenanceOptions>\
         <currentInstanceBootMode>uefi</currentInstanceBootMode></item></instancesSet></item>"
    )
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn ask(url: &str, forms: &[&str]) -> Vec<String> {
        let mut stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        forms
            .iter()
            .map(|form| {
                write!(stream, "POST / HTTP/1.1\r\nHost: x\r\ncontent-length: {}\r\n\r\n{form}", form.len())
                    .unwrap();
                let mut length = 0;
                for line in reader.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()) {
                    if let Some(value) = line.strip_prefix("Content-Length: ") {
                        length = value.parse().unwrap();
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                String::from_utf8(body).unwrap()
            })
            .collect()
    }

    #[test]
    fn all_pages_together_are_the_fleet() {
        let stub = start(INSTANCES, 1000).unwrap();
        let mut token = String::new();
        let (mut instances, mut optional, mut pages) = (0, 0, 0);
        loop {
            let page =
                ask(&stub.url, &[&format!("Action=DescribeInstances&MaxResults=1000{token}")]).remove(0);
            instances += page.matches("<instanceId>").count();
            optional += page.matches("<httpTokens>optional<").count();
            pages += 1;
            match page.split("<nextToken>").nth(1).and_then(|rest| rest.split('<').next()) {
                Some(next) => token = format!("&NextToken={next}"),
                None => break,
            }
        }
        assert_eq!((pages, instances, optional), (10, INSTANCES, OPTIONAL));
    }

    #[test]
    fn a_connection_serves_several_requests_and_a_smaller_page_is_respected() {
        let stub = start(INSTANCES, 1000).unwrap();
        let answers = ask(
            &stub.url,
            &["Action=DescribeInstances&MaxResults=5", "Action=GetCallerIdentity", "Action=Nope"],
        );
        assert_eq!(answers[0].matches("<instanceId>").count(), 5);
        assert!(answers[1].contains("<Account>111111111111</Account>"));
        assert!(answers[2].contains("InvalidAction"));
    }
}
