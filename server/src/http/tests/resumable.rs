//! Uploads in pieces, as tus 1.0 has them.

use super::*;

const PIECE: (&str, &str) = ("content-type", "application/offset+octet-stream");

fn begin(client: &Client, length: usize) -> Reply {
    let length = length.to_string();
    client.send(
        "POST",
        "/api/v1/uploads",
        &[("upload-length", &*length), ("tus-resumable", "1.0.0")],
        b"",
    )
}

fn piece(client: &Client, path: &str, offset: usize, bytes: &[u8]) -> Reply {
    client.send("PATCH", path, &[PIECE, ("upload-offset", &offset.to_string())], bytes)
}

fn location(reply: &Reply) -> String {
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.headers["location"].to_str().unwrap().to_owned()
}

#[test]
fn a_file_in_pieces_becomes_a_bulletin() {
    let server = Server::start();
    let lan = server.admin();
    let file = tone(1.5);
    let path = location(&begin(&lan, file.len()));
    let what = json!({ "title": "Bản tin sáng", "class": "normal" });
    let make = format!("{path}/bulletin");
    assert_eq!(
        lan.post(&make, what.clone()).error(),
        (409, "upload_unfinished".into(), vec![])
    );

    let reply = piece(&lan, &path, 0, &file[..20_000]);
    assert_eq!(
        (reply.status, &reply.headers["upload-offset"]),
        (204, &"20000".parse().unwrap())
    );
    assert_eq!(reply.headers["tus-resumable"], "1.0.0");
    // As after a broken line: how far has it come?
    let head = lan.send("HEAD", &path, &[("tus-resumable", "1.0.0")], b"");
    assert_eq!(
        (head.status, &head.headers["upload-offset"]),
        (200, &"20000".parse().unwrap())
    );
    assert_eq!(head.headers["upload-length"], file.len().to_string().as_str());
    assert_eq!(head.headers["cache-control"], "no-store");
    assert_eq!(lan.get(&path).json(), json!({ "offset": 20_000, "length": file.len() }));
    for wrong in [0, 19_999, 20_001] {
        let reply = piece(&lan, &path, wrong, &file[20_000..]);
        assert_eq!(reply.error(), (409, "upload_offset".into(), vec![]), "{wrong}");
    }
    let more = [&file[20_000..], b"x"].concat();
    assert_eq!(piece(&lan, &path, 20_000, &more).error().1, "too_large");
    assert_eq!(lan.get(&path).json()["offset"], 20_000, "it is as it was");
    assert_eq!(piece(&lan, &path, 20_000, &file[20_000..]).status, 204);

    // A mistake of the form costs no upload.
    let nameless = json!({ "title": " ", "class": "normal" });
    assert_eq!(
        lan.post(&make, nameless).error(),
        (422, "invalid".into(), vec!["title".into()])
    );
    let reply = lan.post(&make, what.clone());
    assert_eq!(reply.status, 201, "{reply:?}");
    let it = reply.json();
    assert_eq!(
        (&it["title"], &it["samples"], &it["format"]),
        (&json!("Bản tin sáng"), &json!(72_000), &json!("wav"))
    );
    let id = it["id"].as_str().unwrap();
    assert_eq!(std::fs::read(server.data.originals().join(id)).unwrap(), file);
    assert_eq!(server.files(), [0, 1, 1]);
    assert_eq!(lan.post(&make, what).error().0, 404);
}

#[test]
fn uploads_belong_to_who_began_them_and_are_bounded() {
    let server = Server::with(|config| config.upload_max_bytes = 1000);
    let lan = server.admin();
    let mai = server.somebody("mai", &[Grant::everywhere(Role::Officer)]);
    let auditor = server.somebody("ba", &[Grant::everywhere(Role::Auditor)]);
    assert_eq!(begin(&auditor, 10).error().1, "forbidden");
    assert_eq!(begin(&lan, 1001).error().1, "too_large");
    assert_eq!(begin(&lan, 0).error().1, "empty_file");
    let none = lan.send("POST", "/api/v1/uploads", &[], b"");
    assert_eq!(none.error().1, "bad_request");
    let old = lan.send(
        "POST",
        "/api/v1/uploads",
        &[("upload-length", "9"), ("tus-resumable", "0.2.2")],
        b"",
    );
    assert_eq!(old.error(), (412, "tus_version".into(), vec![]));

    let path = location(&begin(&lan, 900));
    assert_eq!(mai.get(&path).error().0, 404, "another's is not there");
    assert_eq!(piece(&mai, &path, 0, b"RIFF").error().0, 404);
    assert_eq!(mai.delete(&path).error().0, 404);
    let kind = [("upload-offset", "0"), ("content-type", "audio/wav")];
    assert_eq!(
        lan.send("PATCH", &path, &kind, b"RIFF").error(),
        (415, "unsupported_media_type".into(), vec![])
    );
    // What is certainly no audio is given up at once.
    assert_eq!(piece(&lan, &path, 0, b"%PDF-1.7 and so on").error().1, "not_audio");
    assert_eq!(lan.get(&path).error().0, 404);

    let path = location(&begin(&lan, 1000));
    location(&begin(&lan, 1000));
    assert_eq!(begin(&lan, 1).error(), (409, "too_many_uploads".into(), vec![]));
    location(&begin(&mai, 1000));
    assert_eq!(lan.delete(&path).status, 204);
    for _ in 0..19 {
        location(&begin(&lan, 1));
    }
    assert_eq!(begin(&lan, 1).error(), (409, "too_many_uploads".into(), vec![]));
}

#[test]
fn what_nothing_came_of_for_a_day_is_given_up_and_the_rest_outlives_a_start() {
    let server = Server::start();
    let lan = server.admin();
    let (old, fresh) = (location(&begin(&lan, 10)), location(&begin(&lan, 10)));
    let id = old.rsplit('/').next().unwrap();
    let file = std::fs::read_dir(server.data.uploads()).unwrap().flatten();
    let file = file
        .map(|it| it.path())
        .find(|it| it.to_string_lossy().contains(id))
        .unwrap();
    let yesterday =
        std::time::UNIX_EPOCH + std::time::Duration::from_micros(now().0) - std::time::Duration::from_secs(90_000);
    std::fs::File::options()
        .write(true)
        .open(file)
        .unwrap()
        .set_modified(yesterday)
        .unwrap();
    std::fs::write(server.data.uploads().join(".tmp123"), b"cut off").unwrap();
    server.data.sweep_uploads().unwrap();
    assert_eq!(lan.get(&fresh).status, 200);
    assert_eq!(lan.get(&old).error().0, 404);
    assert_eq!(server.files()[0], 1);
}
