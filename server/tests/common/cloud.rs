//! A bucket with a distribution in front of it, in a local cloud.

use http::StatusCode;

use super::until;

pub(crate) const BUCKET: &str = "pages";

/// An empty bucket and a distribution.
#[derive(Clone)]
pub(crate) struct Cloud {
    pub(crate) url: String,
    pub(crate) distribution: String,
    pub(crate) client: reqwest::Client,
}

impl Cloud {
    /// Makes both in the cloud at `url`, once that answers.
    pub(crate) async fn at(url: String) -> Cloud {
        let mut cloud = Cloud { url, distribution: String::new(), client: reqwest::Client::new() };
        until("the cloud has a bucket", async || {
            let made = cloud.signed("PUT", &format!("/{BUCKET}"), "s3", "").await;
            made.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        cloud.distribution = cloud.distribute().await;
        cloud
    }

    /// A distribution in front of the bucket.
    async fn distribute(&self) -> String {
        let body = format!(
            "<DistributionConfig xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\"><CallerReference>one</CallerReference>\
             <Comment/><Enabled>true</Enabled><Origins><Quantity>1</Quantity><Items><Origin><Id>s3</Id>\
             <DomainName>{BUCKET}.s3.amazonaws.com</DomainName><S3OriginConfig><OriginAccessIdentity/></S3OriginConfig></Origin></Items>\
             </Origins><DefaultCacheBehavior><TargetOriginId>s3</TargetOriginId><ViewerProtocolPolicy>redirect-to-https\
             </ViewerProtocolPolicy></DefaultCacheBehavior></DistributionConfig>"
        );
        let answer =
            self.signed("POST", "/2020-05-31/distribution", "cloudfront", &body).await.expect("an answer");
        let text = answer.text().await.expect("a body");
        let id = text.split_once("<Id>").and_then(|(_, rest)| rest.split_once("</Id>")).expect("an id");
        id.0.to_owned()
    }

    /// A request that says which service it is for, which is what the clouds look at; nobody checks the signature.
    async fn signed(
        &self,
        method: &str,
        path: &str,
        service: &str,
        body: &str,
    ) -> reqwest::Result<reqwest::Response> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let scope = format!("AKIA111111111111TOLL/20260101/us-east-1/{service}/aws4_request");
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature=none");
        self.client
            .request(method, format!("{}{path}", self.url))
            .header("authorization", authorization)
            .header("x-amz-date", "20260101T000000Z")
            .body(body.to_owned())
            .send()
            .await
    }

    /// An object as it is served: its status, headers and bytes.
    pub(crate) async fn object(&self, key: &str) -> (StatusCode, http::HeaderMap, Vec<u8>) {
        let answer = self.signed("GET", &format!("/{BUCKET}/{key}"), "s3", "").await.expect("an answer");
        let (status, headers) = (answer.status(), answer.headers().clone());
        (status, headers, answer.bytes().await.expect("a body").to_vec())
    }

    /// Whether there is an object.
    pub(crate) async fn has(&self, key: &str) -> bool {
        self.object(key).await.0.is_success()
    }

    /// Every key of the bucket.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let answer = self.signed("GET", &format!("/{BUCKET}?list-type=2&max-keys=1000"), "s3", "").await;
        let text = answer.expect("an answer").text().await.expect("a body");
        let keys =
            text.split("<Key>").skip(1).filter_map(|rest| Some(rest.split_once("</Key>")?.0.to_owned()));
        keys.collect()
    }

    /// Writes an object without any of our headers.
    pub(crate) async fn overwrite(&self, key: &str, body: &str) {
        let answer = self.signed("PUT", &format!("/{BUCKET}/{key}"), "s3", body).await.expect("an answer");
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// How many invalidations were asked for.
    pub(crate) async fn invalidations(&self) -> usize {
        let path = format!("/2020-05-31/distribution/{}/invalidation", self.distribution);
        let answer = self.signed("GET", &path, "cloudfront", "").await.expect("an answer");
        answer.text().await.expect("a body").matches("<InvalidationSummary>").count()
    }
}
