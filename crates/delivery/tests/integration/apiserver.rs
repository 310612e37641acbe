//! A Kubernetes API server and its store for the tests, with the kinds of Argo CD, its Image Updater and Argo Rollouts.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GetParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{GroupVersionKind, Request};
use kube::discovery::{ApiCapabilities, Scope};
use kube::{Client, Config};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// Longer than any machine takes; what has come up earlier is noticed at once.
const PATIENCE: Duration = Duration::from_secs(120);
const GLANCE: Duration = Duration::from_millis(25);
/// A port that was free may be taken before it is listened on.
const ATTEMPTS: u32 = 3;

const ADMIN_TOKEN: &str = "admin";
/// Where the users that tests make are accounts.
const USERS: &str = "users";

static SHARED: OnceCell<ApiServer> = OnceCell::const_new();

/// A Kubernetes API server on a port of 127.0.0.1. There are no controllers, no scheduler and no nodes: objects are and stay what
/// tests make them. A namespace that is deleted stays `Terminating`.
pub(crate) struct ApiServer {
    etcd: Child,
    /// `None` while it is stopped.
    server: Option<Child>,
    etcd_url: String,
    port: u16,
    namespaces: AtomicU32,
    group: Group,
    directory: TempDir,
}

impl ApiServer {
    /// The one that the tests of this process share, each in namespaces of its own. Starting takes seconds.
    pub(crate) async fn shared() -> &'static ApiServer {
        SHARED.get_or_init(ApiServer::start).await
    }

    /// One of the test's own, to stop and restart.
    pub(crate) async fn start() -> ApiServer {
        let server = ApiServer::start_bare().await;
        server.install_definitions().await;
        server
    }

    /// As [`ApiServer::start`], without the kinds of Argo CD.
    pub(crate) async fn start_bare() -> ApiServer {
        let mut problems = Vec::new();
        for _ in 0..ATTEMPTS {
            match ApiServer::try_start().await {
                Ok(server) => return server,
                Err(problem) => problems.push(problem),
            }
        }
        panic!("the Kubernetes API server does not start:\n{}", problems.join("\n"));
    }

    async fn try_start() -> Result<ApiServer, String> {
        let directory = tempfile::tempdir().unwrap();
        let group = Group::new(directory.path());
        let etcd_url = format!("http://127.0.0.1:{}", free_port());
        let etcd = group.spawn(
            Command::new(setting("TOLLGATE_TEST_ETCD"))
                .arg("--data-dir")
                .arg(directory.path().join("etcd"))
                .args(["--listen-client-urls", &etcd_url, "--advertise-client-urls", &etcd_url])
                .args(["--listen-peer-urls", &format!("http://127.0.0.1:{}", free_port())])
                // Nothing has to outlive the machine.
                .arg("--unsafe-no-fsync"),
            &directory.path().join("etcd.log"),
        );
        let mut server = ApiServer {
            etcd,
            server: None,
            etcd_url,
            port: free_port(),
            namespaces: AtomicU32::new(0),
            group,
            directory,
        };
        fs::write(
            server.directory.path().join("tokens.csv"),
            format!("{ADMIN_TOKEN},admin,admin,\"system:masters\"\n"),
        )
        .unwrap();
        server.kubeconfig_with_token("admin", ADMIN_TOKEN);
        server.serve().await?;
        server.create_namespace(USERS).await;
        Ok(server)
    }

    /// `https://127.0.0.1:…`
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The kubeconfig of someone who may do everything; its one context is named `admin`.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.directory.path().join("admin.kubeconfig")
    }

    /// Writes a kubeconfig with one context, `name`, and this token, which the server may refuse.
    pub(crate) fn kubeconfig_with_token(&self, name: &str, token: &str) -> PathBuf {
        let path = self.directory.path().join(format!("{name}.kubeconfig"));
        // The server makes its certificate, and the authority that signs it, when it starts for the first time.
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{
                "name": "tests",
                "cluster": {
                    "server": self.url(),
                    "certificate-authority": self.directory.path().join("certificates/apiserver.crt"),
                },
            }],
            "users": [{ "name": name, "user": { "token": token } }],
            "contexts": [{ "name": name, "context": { "cluster": "tests", "user": name } }],
            "current-context": name,
        });
        fs::write(&path, kubeconfig.to_string()).unwrap();
        path
    }

    /// A client of someone who may do everything. It belongs to the runtime that it is made in.
    pub(crate) async fn client(&self) -> Client {
        client(&self.kubeconfig()).await.unwrap()
    }

    /// Makes a namespace that no other test has: `label-1`.
    pub(crate) async fn namespace(&self, label: &str) -> String {
        let name = format!("{label}-{}", self.namespaces.fetch_add(1, Ordering::Relaxed) + 1);
        self.create_namespace(&name).await;
        name
    }

    /// Applies each document as `kubectl apply --server-side` does, and its status too. Answers what became of each.
    pub(crate) async fn apply(&self, yaml: &str) -> Vec<DynamicObject> {
        let client = self.client().await;
        let mut applied = Vec::new();
        for mut document in documents(yaml) {
            let text = |pointer: &str| {
                document.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            let [api_version, kind, namespace, name] =
                ["/apiVersion", "/kind", "/metadata/namespace", "/metadata/name"].map(text);
            let kind = Kind::find(&client, &api_version, &kind).await;
            let api = kind.api(&client, &namespace);
            // Where the status is a subresource, the server ignores it in the document.
            let status = kind.has_status().then(|| document.as_object_mut()?.remove("status")).flatten();
            let parameters = PatchParams::apply("tests").force();
            let mut object = api
                .patch(&name, &parameters, &Patch::Apply(&document))
                .await
                .unwrap_or_else(|error| panic!("{error}:\n{document:#}"));
            if let Some(status) = status {
                object = kind.patch_status(&api, &name, &status).await;
            }
            applied.push(object);
        }
        applied
    }

    /// Merges a status into that of an object, as its controller would. Cluster-wide kinds have an empty namespace.
    pub(crate) async fn status(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
        status: Value,
    ) {
        let client = self.client().await;
        let kind = Kind::find(&client, api_version, kind).await;
        kind.patch_status(&kind.api(&client, namespace), name, &status).await;
    }

    /// The object, if there is one.
    pub(crate) async fn get(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Option<DynamicObject> {
        let client = self.client().await;
        let kind = Kind::find(&client, api_version, kind).await;
        kind.api(&client, namespace).get_opt(name).await.unwrap()
    }

    /// Deletes an object, and without grace, for there is no kubelet to end a pod.
    pub(crate) async fn delete(&self, api_version: &str, kind: &str, namespace: &str, name: &str) {
        let client = self.client().await;
        let kind = Kind::find(&client, api_version, kind).await;
        kind.api(&client, namespace).delete(name, &DeleteParams::default().grace_period(0)).await.unwrap();
    }

    /// Makes a user with these rights in all namespaces: the service account `name` of the namespace `users`, bound to a ClusterRole
    /// `name`. Returns the user's kubeconfig, once the rights hold. Rights can be changed with [`ApiServer::apply`], and taken by
    /// deleting the ClusterRole; a deleted account's token is refused. Users' names must differ from one another.
    pub(crate) async fn user(&self, name: &str, rules: &[PolicyRule]) -> PathBuf {
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": { "name": name },
            "rules": rules,
        });
        self.apply(&format!(
            "apiVersion: v1\n\
             kind: ServiceAccount\n\
             metadata: {{ name: {name}, namespace: {USERS} }}\n\
             ---\n\
             {role}\n\
             ---\n\
             apiVersion: rbac.authorization.k8s.io/v1\n\
             kind: ClusterRoleBinding\n\
             metadata: {{ name: {name} }}\n\
             roleRef: {{ apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {name} }}\n\
             subjects: [{{ kind: ServiceAccount, name: {name}, namespace: {USERS} }}]\n"
        ))
        .await;
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await, USERS);
        let asked = TokenRequest::default();
        let issued = accounts.create_token_request(name, &PostParams::default(), &asked).await.unwrap();
        let kubeconfig = self.kubeconfig_with_token(name, &issued.status.unwrap().token);
        let reviews: Api<SelfSubjectAccessReview> = Api::all(client(&kubeconfig).await.unwrap());
        let review = rules.last().map(review);
        until(&format!("{name} has the rights"), async || {
            // The role and its binding are each looked up in a cache that follows the store.
            match &review {
                None => true,
                Some(review) => reviews
                    .create(&PostParams::default(), review)
                    .await
                    .is_ok_and(|answer| answer.status.is_some_and(|status| status.allowed)),
            }
        })
        .await;
        kubeconfig
    }

    /// Ends the API server without a warning, as a crash does. The objects stay in the store.
    pub(crate) fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            end(&mut server);
        }
    }

    /// Ends the API server if it runs, and starts it at the same address with the same objects, certificate and tokens. A watch
    /// that goes on from before is answered 410 Gone if anything has changed since what it saw last.
    pub(crate) async fn restart(&mut self) {
        self.stop();
        let mut problems = Vec::new();
        for _ in 0..ATTEMPTS {
            match self.serve().await {
                Ok(()) => return,
                Err(problem) => problems.push(problem),
            }
        }
        panic!("the Kubernetes API server does not start again:\n{}", problems.join("\n"));
    }

    /// Starts the API server and waits until it is ready.
    async fn serve(&mut self) -> Result<(), String> {
        let certificates = self.directory.path().join("certificates");
        let key = certificates.join("apiserver.key");
        let log = self.directory.path().join("kube-apiserver.log");
        self.server = Some(
            self.group.spawn(
                Command::new(setting("TOLLGATE_TEST_KUBE_APISERVER"))
                    .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"])
                    .arg(format!("--secure-port={}", self.port))
                    .arg(format!("--etcd-servers={}", self.etcd_url))
                    .arg(flag("--cert-dir", &certificates))
                    .arg(flag("--token-auth-file", &self.directory.path().join("tokens.csv")))
                    .arg("--authorization-mode=RBAC")
                    .arg("--service-cluster-ip-range=10.0.0.0/24")
                    .arg(format!("--service-account-issuer={}", self.url()))
                    // The key of its certificate: made before it is read, and as good as another.
                    .arg(flag("--service-account-signing-key-file", &key))
                    .arg(flag("--service-account-key-file", &key))
                    // Pods would wait for the default account of their namespace, which a controller makes.
                    .arg("--disable-admission-plugins=ServiceAccount")
                    // There is nobody to whom the server's own service would have to point.
                    .arg("--endpoint-reconciler-type=none")
                    .arg("--allow-privileged=true"),
                &log,
            ),
        );
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(client) = client(&self.kubeconfig()).await
                && let Ok(request) = Request::new("").get("readyz", &GetParams::default())
                && client.request_text(request).await.is_ok()
            {
                return Ok(());
            }
            if let Some(ended) = self.ended() {
                return Err(ended);
            }
            if Instant::now() > deadline {
                let said = self.last_lines("kube-apiserver.log");
                self.stop();
                return Err(format!("it is not ready after {} s:\n{said}", PATIENCE.as_secs()));
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Which of the programs has ended by itself, and what it said.
    fn ended(&mut self) -> Option<String> {
        let server = self.server.as_mut().map(|server| ("kube-apiserver", server));
        let ended = [Some(("etcd", &mut self.etcd)), server]
            .into_iter()
            .flatten()
            .find_map(|(name, child)| child.try_wait().unwrap().map(|status| (name, status)));
        let (name, status) = ended?;
        Some(format!("{name} ended with {status}:\n{}", self.last_lines(&format!("{name}.log"))))
    }

    async fn install_definitions(&self) {
        let directory = PathBuf::from(setting("TOLLGATE_TEST_CRDS"));
        let client = self.client().await;
        let url = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let mut names = Vec::new();
        let mut kinds = Vec::new();
        for file in files(&directory) {
            let text = fs::read(&file).unwrap();
            let mut request = Request::new(url).create(&PostParams::default(), text).unwrap();
            request.headers_mut().insert("content-type", "application/yaml".parse().unwrap());
            let definition: Value = client
                .request(request)
                .await
                .unwrap_or_else(|error| panic!("{} is not accepted: {error}", file.display()));
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let spec = &definition["spec"];
            names.push(text(&definition["metadata"]["name"]));
            for version in spec["versions"].as_array().unwrap() {
                kinds.push(GroupVersionKind::gvk(
                    spec["group"].as_str().unwrap(),
                    version["name"].as_str().unwrap(),
                    spec["names"]["kind"].as_str().unwrap(),
                ));
            }
        }
        for name in names {
            until(&format!("{name} is established"), async || {
                let request = Request::new(url).get(&name, &GetParams::default()).unwrap();
                let definition: Value = client.request(request).await.unwrap();
                let conditions = definition["status"]["conditions"].as_array();
                conditions
                    .into_iter()
                    .flatten()
                    .any(|condition| condition["type"] == "Established" && condition["status"] == "True")
            })
            .await;
        }
        for kind in kinds {
            until(&format!("{} is discovered", kind.kind), async || {
                kube::discovery::pinned_kind(&client, &kind).await.is_ok()
            })
            .await;
        }
    }

    async fn create_namespace(&self, name: &str) {
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name.to_owned());
        let namespaces: Api<Namespace> = Api::all(self.client().await);
        namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    }

    fn last_lines(&self, log: &str) -> String {
        let said = fs::read_to_string(self.directory.path().join(log)).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.stop();
        end(&mut self.etcd);
    }
}

/// A kind as the server knows it.
struct Kind {
    resource: ApiResource,
    capabilities: ApiCapabilities,
}

impl Kind {
    async fn find(client: &Client, api_version: &str, kind: &str) -> Kind {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let kind = GroupVersionKind::gvk(group, version, kind);
        let (resource, capabilities) = kube::discovery::pinned_kind(client, &kind)
            .await
            .unwrap_or_else(|error| panic!("the server does not have {kind:?}: {error}"));
        Kind { resource, capabilities }
    }

    fn api(&self, client: &Client, namespace: &str) -> Api<DynamicObject> {
        match self.capabilities.scope {
            Scope::Namespaced => {
                assert!(!namespace.is_empty(), "a {} needs a namespace", self.resource.kind);
                Api::namespaced_with(client.clone(), namespace, &self.resource)
            }
            Scope::Cluster => Api::all_with(client.clone(), &self.resource),
        }
    }

    /// Argo CD's Applications are among the kinds whose status is an ordinary field.
    fn has_status(&self) -> bool {
        self.capabilities.subresources.iter().any(|(subresource, _)| subresource.plural == "status")
    }

    async fn patch_status(&self, api: &Api<DynamicObject>, name: &str, status: &Value) -> DynamicObject {
        let patch = Patch::Merge(json!({ "status": status }));
        let parameters = PatchParams::default();
        let patched = if self.has_status() {
            api.patch_status(name, &parameters, &patch).await
        } else {
            api.patch(name, &parameters, &patch).await
        };
        patched.unwrap_or_else(|error| panic!("{error}:\n{status:#}"))
    }
}

/// The process group of the programs. Its leader waits for the end of this process, however it ends, and then ends the group: what
/// tests share is never dropped.
struct Group {
    leader: Child,
}

impl Group {
    fn new(directory: &Path) -> Group {
        let leader = Command::new("sh")
            .args(["-c", "read -r _; rm -rf \"$1\"; kill -s KILL 0", "sh"])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        Group { leader }
    }

    fn spawn(&self, command: &mut Command, log: &Path) -> Child {
        let log = File::create(log).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(i32::try_from(self.leader.id()).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", command.get_program().display()))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        drop(self.leader.stdin.take());
        drop(self.leader.wait());
    }
}

fn end(child: &mut Child) {
    // Either may fail only because the process has already ended.
    drop(child.kill());
    drop(child.wait());
}

fn setting(name: &str) -> OsString {
    env::var_os(name)
        .unwrap_or_else(|| panic!("{name} is not set: `cargo xtask test` fetches what it names and sets it"))
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn flag(name: &str, value: &Path) -> OsString {
    let mut flag = OsString::from(name);
    flag.push("=");
    flag.push(value);
    flag
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{} cannot be read: {error}", directory.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds no definitions", directory.display());
    files
}

/// The documents of a text, apart from those that are empty.
pub(crate) fn documents(yaml: &str) -> Vec<Value> {
    let read = |document| Value::deserialize(document).unwrap_or_else(|error| panic!("{error}:\n{yaml}"));
    let documents = yaml_serde::Deserializer::from_str(yaml).map(read);
    documents.filter(|document| !document.is_null()).collect()
}

async fn client(kubeconfig: &Path) -> Result<Client, Box<dyn Error>> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

/// The question whether the one who asks has one of the rights of a rule.
fn review(rule: &PolicyRule) -> SelfSubjectAccessReview {
    let first = |list: &Option<Vec<String>>| list.as_ref().and_then(|list| list.first().cloned());
    let verb = rule.verbs.first();
    let spec = match first(&rule.non_resource_urls) {
        Some(path) => json!({ "nonResourceAttributes": { "path": path, "verb": verb } }),
        None => {
            let resource = first(&rule.resources).unwrap_or_default();
            let (resource, subresource) = resource.split_once('/').unwrap_or((&resource, ""));
            json!({ "resourceAttributes": {
                "group": first(&rule.api_groups),
                "resource": resource,
                "subresource": subresource,
                "name": first(&rule.resource_names),
                "verb": verb,
            } })
        }
    };
    serde_json::from_value(json!({ "metadata": {}, "spec": spec })).unwrap()
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "not after {} s: {what}", PATIENCE.as_secs());
        tokio::time::sleep(GLANCE).await;
    }
}
