//! What bulletins contain, and what is said for it: the table of cases, and what holds for any text.

use super::{Dialect, Table, read};

#[test]
fn each_case_is_read_as_it_is_said() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in include_str!("cases.tsv")
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let (written, said) = line.split_once('\t').expect("two columns");
        count += 1;
        let read = read(&written.replace("\\n", "\n"), &Table::default(), Dialect::North);
        if read != said {
            wrong.push(format!("{written}\n  read {read}\n  want {said}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 300, "{count}");
}

#[test]
fn the_officers_table_goes_before_everything() {
    let table = Table::new([
        ("UBND".to_owned(), "Ủy ban".to_owned()),
        ("TDP 5".to_owned(), "tổ dân phố Năm Đông".to_owned()),
        ("Ea H'leo".to_owned(), "ê a hờ leo".to_owned()),
        ("bê tông".to_owned(), "bê-tông".to_owned()),
        ("15/7".to_owned(), "rằm".to_owned()),
    ]);
    let said = |text| read(text, &table, Dialect::North);
    assert_eq!(
        said("UBND xã Ea H'leo, TDP 5, TDP 50"),
        "Ủy ban xã ê a hờ leo, tổ dân phố Năm Đông, tổ dân phố năm mươi"
    );
    // A word in small letters stands for itself with a capital, too; one with capitals does not for another.
    assert_eq!(said("Bê tông hóa; ubnd"), "bê-tông hóa, ubnd");
    assert_eq!(
        said("15/7 và 15/7/2026"),
        "rằm và ngày mười lăm tháng bảy năm hai nghìn không trăm hai mươi sáu"
    );
    // Marks apart from their letters, as some keyboards send them.
    assert_eq!(said("be\u{302} to\u{302}ng"), "bê-tông");
}

#[test]
fn the_south_says_some_numbers_otherwise() {
    assert_eq!(
        read("105.000 đ", &Table::default(), Dialect::South),
        "một trăm lẻ năm ngàn đồng"
    );
    assert_eq!(read("200k", &Table::default(), Dialect::South), "hai trăm ngàn");
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

    /// Whatever is written, what is read is one line without a digit.
    #[test]
    fn no_digit_is_left_to_the_voice(text in r"([0-9]{1,4}|[./,:%h°²-]| |UBND|QĐ|ngày|tháng|\n|[a-zđA-ZĐắ]|km|đ|\PC){0,40}") {
        let said = read(&text, &Table::default(), Dialect::North);
        proptest::prop_assert!(!said.contains(|c: char| c.is_ascii_digit() || c == '\n'), "{text:?}: {said:?}");
    }

    #[test]
    fn a_whole_number_is_read_as_it_is_built(number in 0u64..1_000_000_000_000_000) {
        let said = read(&number.to_string(), &Table::default(), Dialect::North);
        proptest::prop_assert_eq!(value(&said), Some(number), "{}", said);
    }
}

/// What number words say, found the other way round.
fn value(said: &str) -> Option<u64> {
    let (mut billions, mut total, mut group) = (None, 0u64, 0u64);
    let mut digit = 0;
    for word in said.split(' ') {
        match word {
            "không" | "linh" => digit = 0,
            "một" | "mốt" => digit = 1,
            "hai" => digit = 2,
            "ba" => digit = 3,
            "bốn" | "tư" => digit = 4,
            "năm" | "lăm" => digit = 5,
            "sáu" => digit = 6,
            "bảy" => digit = 7,
            "tám" => digit = 8,
            "chín" => digit = 9,
            "mười" => (group, digit) = (group + 10, 0),
            "mươi" => (group, digit) = (group + digit * 10, 0),
            "trăm" => (group, digit) = (group + digit * 100, 0),
            "nghìn" => (total, group, digit) = (total + (group + digit) * 1_000, 0, 0),
            "triệu" => (total, group, digit) = (total + (group + digit) * 1_000_000, 0, 0),
            "tỷ" => (billions, total, group, digit) = (Some(total + group + digit), 0, 0, 0),
            _ => return None,
        }
    }
    Some(billions.unwrap_or(0) * 1_000_000_000 + total + group + digit)
}
