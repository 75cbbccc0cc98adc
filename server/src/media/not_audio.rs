//! What is certainly not a bulletin. Here: a look at the first bytes of a file that is still coming in, so that a document or
//! a picture is refused before all of it was sent. Not here: what is audio: that is for the decoders to say.

/// So many bytes are looked at.
pub const HEAD: usize = 1024;

/// What certainly begins so, by its signature.
const SIGNATURES: &[(&[u8], &str)] = &[
    (b"%PDF-", "PDF"),
    (b"PK\x03\x04", "ZIP, Word, Excel"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Word, Excel 97"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"MZ\x90\0", "EXE"),
    (b"\x7fELF", "ELF"),
    (b"SQLite format 3\0", "SQLite"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMA, WMV"),
    (b"\x1a\x45\xdf\xa3", "WebM, Matroska"),
    (b"#!AMR", "AMR"),
    (b"MThd", "MIDI"),
];

/// What a file that begins with `head` (at least [`HEAD`] bytes) is, if it is certainly nothing to be heard.
pub fn not_audio(head: &[u8]) -> Option<&'static str> {
    let signed = SIGNATURES.iter().find(|(signature, _)| head.starts_with(signature));
    if let Some((_, what)) = signed {
        return Some(what);
    }
    let text = |head: &[u8]| {
        // A character may be cut at the end.
        let whole = match std::str::from_utf8(head) {
            Ok(text) => text,
            Err(error) if error.error_len().is_none() => std::str::from_utf8(&head[..error.valid_up_to()]).ok()?,
            Err(_) => return None,
        };
        whole
            .chars()
            .all(|c| !c.is_control() || c.is_whitespace())
            .then_some(())
    };
    (head.len() >= HEAD && text(head).is_some()).then_some("text")
}
