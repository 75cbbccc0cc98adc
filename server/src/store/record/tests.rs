//! What needs no database: the hash as documented, and text made harmless.

use loa_protocol::{AreaId, UnixMicros};

use super::*;

fn line() -> Line {
    Line {
        number: 7,
        hash: [0; 32],
        at: UnixMicros(1_800_000_000_123_456),
        actor: Actor {
            who: "lan".into(),
            origin: "192.0.2.1".into(),
        },
        what: "receiver.volume".into(),
        subject: "019d".into(),
        area: None,
        before: None,
        after: Some(r#"{"volume":35}"#.into()),
        detail: "35 %".into(),
    }
}

/// Made by a program in another language from the description in [`chain`].
#[test]
fn the_hash_is_as_described() {
    let hash = line().hash_after(&[0x11; 32]);
    assert_eq!(
        chain::hex(&hash),
        "76a254193b28092f6429f1fd021b3cbb7f96b66f439e6a54ef1d6d96c28b1f76"
    );
}

#[test]
fn no_two_entries_have_one_hash() {
    let change: [fn(&mut Line); 10] = [
        |it| it.number += 1,
        |it| it.at.0 += 1,
        |it| it.actor.who = "hoa".into(),
        |it| it.actor.origin = "192.0.2.2".into(),
        |it| it.what.push('d'),
        |it| it.subject.push('0'),
        |it| it.area = Some(AreaId([0; 16])),
        |it| it.before = Some(String::new()),
        |it| it.after = None,
        |it| it.detail.clear(),
    ];
    let mut hashes = std::collections::BTreeSet::from([line().hash_after(&[0; 32]), line().hash_after(&[1; 32])]);
    for change in change {
        let mut changed = line();
        change(&mut changed);
        hashes.insert(changed.hash_after(&[0; 32]));
    }
    // What moves from one field to the next is no longer the same.
    let mut moved = line();
    (moved.actor.who, moved.actor.origin) = ("lan1".into(), "92.0.2.1".into());
    hashes.insert(moved.hash_after(&[0; 32]));
    assert_eq!(hashes.len(), 13);
}

#[test]
fn a_head_is_read_as_it_is_printed() {
    let head = Head {
        number: 12,
        hash: [0xab; 32],
    };
    assert_eq!(head.to_string().parse(), Ok(head));
    assert_eq!(head.to_string().to_uppercase().parse(), Ok(head));
    for wrong in ["", "12", "12:ab", "x:00", &format!("12:{}", "é".repeat(32))] {
        assert!(wrong.parse::<Head>().is_err(), "{wrong}");
    }
}

#[test]
fn no_text_steers_where_it_goes() {
    assert_eq!(visible("Nhà văn hoá – thôn 1"), "Nhà văn hoá – thôn 1");
    assert_eq!(visible("a\n2026-01-01\tlan"), r"a\n2026-01-01\tlan");
    assert_eq!(
        visible("a\u{202e}b\u{2028}c\u{1b}[2Jd\u{85}"),
        r"a\u{202e}b\u{2028}c\u{1b}[2Jd\u{85}"
    );
    // An escape that somebody typed is not taken for one of ours.
    assert_eq!(visible(r"a\nb"), r"a\\nb");
    assert_eq!(cell("=cmd|'/c calc'!A0"), r#""'=cmd|'/c calc'!A0""#);
    for formula in ["+1", "-1+1", "@SUM(1)", "＝1"] {
        assert!(cell(formula).starts_with("\"'"), "{formula}");
    }
    assert_eq!(cell("\t=1"), r#""\t=1""#);
    assert_eq!(cell("-"), r#""-""#);
    assert_eq!(cell("nói \"to\", rõ\r\n"), r#""nói ""to"", rõ\r\n""#);
}
