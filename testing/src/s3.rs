//! A store that speaks S3, in a folder of its own: it checks signatures and heeds conditions as others do.

use std::net::SocketAddr;
use std::path::Path;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// A store that speaks S3.
pub struct S3 {
    folder: TempDir,
    address: SocketAddr,
    task: Option<JoinHandle<()>>,
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.stop();
    }
}

impl S3 {
    pub const BUCKET: &str = "blobs";
    pub const REGION: &str = "eu-test-1";
    pub const ACCESS_KEY_ID: &str = "AKIDROSSBY";
    pub const SECRET_ACCESS_KEY: &str = "a-secret-of-the-tests";

    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(Self::BUCKET)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = Some(serve(listener, service(folder.path())));
        Self { folder, address, task }
    }

    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it keeps its objects.
    #[must_use]
    pub fn objects(&self) -> std::path::PathBuf {
        self.folder.path().join(Self::BUCKET)
    }

    /// It is away: nobody listens, and what was connected is cut.
    pub fn stop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }

    /// It is back, with what it had.
    pub async fn restart(&mut self) {
        self.stop();
        let listener = crate::until_some("the port is free again", async || TcpListener::bind(self.address).await.ok());
        self.task = Some(serve(listener.await, service(self.folder.path())));
    }
}

fn service(folder: &Path) -> S3Service {
    let mut builder = S3ServiceBuilder::new(FileSystem::new(folder).unwrap());
    builder.set_auth(SimpleAuth::from_single(S3::ACCESS_KEY_ID, S3::SECRET_ACCESS_KEY));
    builder.build()
}

/// The connections end with the task.
fn serve(listener: TcpListener, service: S3Service) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            connections.spawn(async move {
                let http = Builder::new(TokioExecutor::new());
                let _ = http.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}
