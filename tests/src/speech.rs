//! An announcement, made at run time: espeak-ng speaks Vietnamese, LAME makes an MP3 of it. No recording of anybody.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// What the demo announces.
pub const ANNOUNCEMENT: &str = "Kính mời bà con chú ý. Sáng mai, từ bảy giờ đến mười một giờ, trạm y tế xã tổ chức tiêm chủng mở rộng \
     cho trẻ em dưới hai tuổi tại nhà văn hoá thôn. Đề nghị các gia đình mang theo sổ tiêm chủng. Xin cảm ơn bà con.";

/// Speaks `text` with espeak-ng's Vietnamese voice into `wav` (22 050 Hz, mono).
pub fn speak(text: &str, wav: &Path) -> Result<()> {
    run(Command::new("espeak-ng")
        .args(["-v", "vi", "-s", "150", "-w"])
        .arg(wav)
        .arg(text))
}

/// Encodes `wav` as `mp3`, 64 kbit/s.
pub fn to_mp3(wav: &Path, mp3: &Path) -> Result<()> {
    run(Command::new("lame").args(["--quiet", "-b", "64"]).arg(wav).arg(mp3))
}

/// The announcement as an MP3 in `folder`, and its path.
pub fn announcement(folder: &Path) -> Result<std::path::PathBuf> {
    let (wav, mp3) = (folder.join("announcement.wav"), folder.join("announcement.mp3"));
    speak(ANNOUNCEMENT, &wav)?;
    to_mp3(&wav, &mp3)?;
    Ok(mp3)
}

/// Runs an outside program to its end.
pub fn run(command: &mut Command) -> Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{command:?} cannot be started"))?;
    ensure!(
        output.status.success(),
        "{command:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
