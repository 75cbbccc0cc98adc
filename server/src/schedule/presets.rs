//! Rules that are in force somewhere, to begin with. Here: what was published, as [`Rules`], each with its source and with what the
//! source leaves open. Not here: who sets them where.

use super::rules::{Clock, Hours, Rules};

/// Rules to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preset {
    /// Its name for programs: does not change.
    pub name: &'static str,
    /// For people.
    pub title: [&'static str; 2],
    /// Where it comes from, and what that leaves open.
    pub note: [&'static str; 2],
    /// What it says.
    pub rules: Rules,
}

/// All of them, in Vietnamese and in English.
pub fn all() -> Vec<Preset> {
    let hours = |days: &[u8], from: (u16, u16), to: (u16, u16)| Hours {
        days: days.to_vec(),
        from: Clock::at(from.0, from.1).expect("a time of the day"),
        to: Clock::at(to.0, to.1).expect("a time of the day"),
        volume: 100,
    };
    let rules = |hours: Vec<Hours>, daily_minutes| Rules {
        hours: Some(hours),
        daily_minutes,
        seasons: Vec::new(),
    };
    vec![
        Preset {
            name: "hanoi_urban",
            title: ["Hà Nội, nội thành", "Hà Nội, urban"],
            note: [
                "Hà Nội 2021: nhiều nhất 2 buổi một ngày, mỗi buổi không quá 15 phút, từ thứ hai đến thứ sáu. Văn bản không nêu giờ: khung 5:00–21:00 là của Loa.",
                "Hà Nội 2021: at most two sessions of 15 minutes a day, Monday to Friday. It names no hours: 5:00 to 21:00 is Loa's.",
            ],
            rules: rules(vec![hours(&[1, 2, 3, 4, 5], (5, 0), (21, 0))], Some(30)),
        },
        Preset {
            name: "hanoi_rural",
            title: ["Hà Nội, ngoại thành", "Hà Nội, rural"],
            note: [
                "Hà Nội 2021: mỗi buổi không quá 45 phút, kể cả tiếp âm. Văn bản không nêu số buổi và giờ: hai buổi một ngày và khung 5:00–21:00 là của Loa.",
                "Hà Nội 2021: at most 45 minutes a session, relays included. It names neither sessions nor hours: two a day and 5:00 to 21:00 are Loa's.",
            ],
            rules: rules(vec![hours(&[], (5, 0), (21, 0))], Some(90)),
        },
        Preset {
            name: "lien_chieu",
            title: ["Liên Chiểu, Đà Nẵng", "Liên Chiểu, Đà Nẵng"],
            note: [
                "Liên Chiểu 2024: hai buổi một ngày, mỗi buổi 60 phút, từ 5:30 và từ 17:00.",
                "Liên Chiểu 2024: two sessions of 60 minutes a day, from 5:30 and from 17:00.",
            ],
            rules: rules(
                vec![hours(&[], (5, 30), (6, 30)), hours(&[], (17, 0), (18, 0))],
                Some(120),
            ),
        },
        Preset {
            name: "quiet_nights",
            title: ["Chỉ giữ yên tĩnh ban đêm", "Quiet nights only"],
            note: [
                "Của Loa: không phát từ 21:00 đến 5:00.",
                "Loa's: nothing from 21:00 to 5:00.",
            ],
            rules: rules(vec![hours(&[], (5, 0), (21, 0))], None),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_right_and_is_a_policy() {
        let day = chrono::NaiveDate::from_ymd_opt(2026, 2, 16).unwrap();
        for preset in all() {
            preset.rules.check().unwrap();
            let policy = super::super::rules::Limits::on(day, [&preset.rules])
                .policy(420)
                .unwrap();
            assert!(!policy.allowed.is_empty(), "{}", preset.name);
        }
    }
}
