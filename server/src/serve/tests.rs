//! A server from start to end and again, in this process.

use super::*;

fn config(folder: &std::path::Path) -> Config {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    Config {
        data: folder.to_owned(),
        http_listen: free,
        media_listen: free,
        mqtt_listen: free,
        mqtt_tls_listen: Some(free),
        ..Config::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_ends_and_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let (end, shutdown) = watch::channel(false);
    let mut first = start(config(folder.path()), shutdown.clone()).await.unwrap();
    let link = first.setup.clone().unwrap();
    assert!(link.starts_with(&format!("http://{}/setup#", first.http)), "{link}");
    // Somebody else's server on the same folder would put everything on the air twice.
    let second = start(config(folder.path()), shutdown).await.err().unwrap();
    assert!(matches!(second, ServeError::Taken(_)), "{second}");
    end.send_replace(true);
    first.ended().await;

    let files = [
        "originals/018f0000-0000-7000-8000-000000000000",
        "programmes/x.opus",
        "uploads/half",
    ];
    for file in files {
        std::fs::write(folder.path().join(file), "cut off").unwrap();
    }
    let (end, shutdown) = watch::channel(false);
    let again = start(config(folder.path()), shutdown).await.unwrap();
    assert!(
        again.setup.is_some_and(|again| again != link),
        "an old link is good no longer"
    );
    for file in files {
        assert!(!folder.path().join(file).exists(), "{file}");
    }
    end.send_replace(true);
    assert!(
        tokio::time::timeout(listen::Patience::default().grace, async { again.task.await.unwrap() })
            .await
            .is_ok()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (_end, shutdown) = watch::channel(false);
    let config = Config {
        http_listen: address,
        ..config(folder.path())
    };
    let error = start(config, shutdown).await.err().unwrap().to_string();
    assert!(error.starts_with(&format!("http.listen = {address}: ")), "{error}");
}
