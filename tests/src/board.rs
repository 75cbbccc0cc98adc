//! The firmware image in QEMU: everything of a receiver but the DAC and the loudspeaker.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::{Enrolled, Process, Recording, repository};

/// Where the enrolment partition begins (firmware/boards/qemu/memory.x).
const PARTITION: &str = "0x103F0000";

/// A booted board.
#[derive(Debug)]
pub struct Board {
    process: Process,
    folder: PathBuf,
}

/// The image that `cargo build --release` makes in firmware/boards.
pub fn image() -> PathBuf {
    repository().join("firmware/boards/target/thumbv8m.main-none-eabihf/release/loa-board-qemu")
}

impl Board {
    /// The address under which a board must be told to find a server on this machine.
    pub const HOST: &str = "10.0.2.2";

    /// Boots the image as `enrolled`; what it plays is kept in `folder`.
    pub fn boot(enrolled: &Enrolled, folder: &Path) -> Result<Self> {
        Self::boot_image(&image(), enrolled, folder, &[])
    }

    /// Boots another image, with more arguments of QEMU.
    pub fn boot_image(image: &Path, enrolled: &Enrolled, folder: &Path, arguments: &[&str]) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let enrolment = folder.join("enrolment.bin");
        std::fs::write(&enrolment, &enrolled.enrolment)?;
        let mut command = Command::new("qemu-system-arm");
        command
            .current_dir(folder)
            .args(["-M", "mps2-an505", "-nographic", "-monitor", "none", "-serial", "null"])
            .args([
                "-semihosting-config",
                "enable=on,target=native",
                "-nic",
                "user,model=lan9118",
            ])
            .arg("-device")
            .arg(format!(
                "loader,file={},addr={PARTITION},force-raw=on",
                enrolment.display()
            ))
            .args(arguments)
            .arg("-kernel")
            .arg(image);
        Ok(Self {
            process: Process::start("qemu", &mut command)?,
            folder: folder.to_owned(),
        })
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Waits for a line that the firmware says.
    pub fn wait_for_line<T>(&mut self, patience: Duration, wanted: impl FnMut(&str) -> Option<T>) -> Result<T> {
        self.process.wait_for_line(patience, wanted)
    }

    /// What it has played so far.
    pub fn recording(&self) -> Result<Recording> {
        Recording::raw(&self.folder.join("sound.pcm"))
    }

    /// Pulls the plug.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}
