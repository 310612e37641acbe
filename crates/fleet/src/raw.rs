//! One instance as EC2 answers it, whole: the response's XML as JSON, so that nothing the SDK does not model is lost.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

use crate::answer::each_answer;
use crate::aws::RegionClients;
use crate::error::AwsError;

/// The instance as EC2 describes it now; `None` when EC2 does not know it.
pub(crate) async fn describe_raw(
    clients: &RegionClients,
    instance_id: &str,
) -> Result<Option<Value>, AwsError> {
    let last_body = Arc::new(Mutex::new(Vec::new()));
    let kept = last_body.clone();
    let keep = each_answer("keep-body", move |body| {
        *kept.lock().unwrap_or_else(PoisonError::into_inner) = body.to_vec();
        Ok(())
    });
    clients.describe_rate.take().await;
    let answer = clients
        .ec2
        .describe_instances()
        .instance_ids(instance_id)
        .customize()
        .interceptor(keep)
        .send()
        .await
        .map_err(|error| AwsError::from_sdk("ec2:DescribeInstances", error));
    match answer {
        Ok(_) => {}
        Err(error) if error.is_gone() => return Ok(None),
        Err(error) => return Err(error),
    }
    let body = last_body.lock().unwrap_or_else(PoisonError::into_inner);
    instance_in(&String::from_utf8_lossy(&body), instance_id)
        .map_err(|message| AwsError::malformed("ec2:DescribeInstances", message))
}

fn instance_in(xml: &str, instance_id: &str) -> Result<Option<Value>, String> {
    let document =
        roxmltree::Document::parse(xml).map_err(|error| format!("The answer is not XML: {error}"))?;
    let found = document.descendants().find(|node| {
        node.has_tag_name_ignoring_namespace("item")
            && node.children().any(|child| {
                child.has_tag_name_ignoring_namespace("instanceId") && child.text() == Some(instance_id)
            })
    });
    Ok(found.map(to_json))
}

trait TagName {
    fn has_tag_name_ignoring_namespace(&self, name: &str) -> bool;
}

impl TagName for roxmltree::Node<'_, '_> {
    fn has_tag_name_ignoring_namespace(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}

/// An element as JSON: `item` children are an array, other children an object, and a leaf is its text.
fn to_json(node: roxmltree::Node<'_, '_>) -> Value {
    let children: Vec<_> = node.children().filter(roxmltree::Node::is_element).collect();
    if children.is_empty() {
        return Value::String(node.text().unwrap_or_default().to_owned());
    }
    if children.iter().all(|child| child.tag_name().name() == "item") {
        return Value::Array(children.into_iter().map(to_json).collect());
    }
    let fields: Map<String, Value> =
        children.into_iter().map(|child| (child.tag_name().name().to_owned(), to_json(child))).collect();
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_asked_instance_is_taken_out_of_the_answer() {
        let xml = r#"<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet><item>
            <reservationId>r-1</reservationId><instancesSet>
            <item><instanceId>i-1</instanceId></item>
            <item><instanceId>i-2</instanceId><tagSet><item><key>a</key><value>&lt;b&gt;</value></item></tagSet></item>
            </instancesSet></item></reservationSet></DescribeInstancesResponse>"#;
        let found = instance_in(xml, "i-2").expect("the XML is well-formed").expect("the instance is there");
        assert_eq!(found["tagSet"][0]["value"], "<b>");
        assert_eq!(instance_in(xml, "i-3").expect("the XML is well-formed"), None);
    }
}
