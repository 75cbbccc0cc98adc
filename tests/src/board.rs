//! The firmware image in QEMU: everything of a receiver but the DAC and the loudspeaker.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::{Enrolled, Process, Recording, repository};

/// Where the enrolment partition begins (firmware/boards/qemu/memory.x).
const PARTITION: &str = "0x103F0000";
/// What is flashed there, in the board's folder.
const FLASH: &str = "enrolment.bin";
/// What it plays, there too (firmware/boards/qemu/src/sound.rs).
const SOUND: &str = "sound.pcm";

/// A booted board.
#[derive(Debug)]
pub struct Board {
    process: Process,
    image: PathBuf,
    folder: PathBuf,
    arguments: Vec<String>,
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
        Self::boot_flashed(&enrolled.enrolment, folder)
    }

    /// Boots the image with `flash`, an enrolment or a claim configuration, in its flash.
    pub fn boot_flashed(flash: &[u8], folder: &Path) -> Result<Self> {
        Self::boot_with(&image(), flash, folder, &[])
    }

    /// Boots another image, with more arguments of QEMU.
    pub fn boot_image(image: &Path, enrolled: &Enrolled, folder: &Path, arguments: &[&str]) -> Result<Self> {
        Self::boot_with(image, &enrolled.enrolment, folder, arguments)
    }

    fn boot_with(image: &Path, flash: &[u8], folder: &Path, arguments: &[&str]) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join(FLASH), flash)?;
        let arguments = arguments.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        Ok(Self {
            process: power_on(image, folder, &arguments)?,
            image: image.to_owned(),
            folder: folder.to_owned(),
            arguments,
        })
    }

    /// Pulls the plug, unless that was done, and boots it again: with what is in its flash by now, and a recording that begins anew.
    pub fn boot_again(&mut self) -> Result<()> {
        self.kill();
        match std::fs::remove_file(self.folder.join(SOUND)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        self.process = power_on(&self.image, &self.folder, &self.arguments)?;
        Ok(())
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Waits for a line that the firmware says.
    pub fn wait_for_line<T>(&mut self, patience: Duration, wanted: impl FnMut(&str) -> Option<T>) -> Result<T> {
        self.process.wait_for_line(patience, wanted)
    }

    /// What it has played since the plug was put in.
    pub fn recording(&self) -> Result<Recording> {
        Recording::raw(&self.folder.join(SOUND))
    }

    /// Pulls the plug.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}

/// Starts QEMU. What was flashed is one file; what the firmware changes of it, it keeps in another (firmware/boards/qemu/src/flash.rs).
fn power_on(image: &Path, folder: &Path, arguments: &[String]) -> Result<Process> {
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
        .arg(format!("loader,file={FLASH},addr={PARTITION},force-raw=on"))
        .args(arguments)
        .arg("-kernel")
        .arg(image);
    Process::start("qemu", &mut command)
}
