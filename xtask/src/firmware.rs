//! Both firmware images: built, turned into UF2 where a board wants that, and measured.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use loa_tests::repository;
use object::read::elf::ProgramHeader as _;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionFlags, elf};

use crate::install::{self, Need};

/// The receiver's chip: a Cortex-M33 with a floating-point unit.
pub(crate) const TARGET: &str = "thumbv8m.main-none-eabihf";

/// What the images are called.
pub(crate) const IMAGES: [&str; 2] = ["loa-board-qemu", "loa-board-rp2350"];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Chỉ liệt kê những gì còn thiếu. Only list what is missing, and stop.
    #[arg(long)]
    no_install: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    install::ensure_installed(Need::Firmware, arguments.no_install)?;
    run_no_install()
}

/// The same, with everything there.
pub(crate) fn run_no_install() -> Result<()> {
    for name in IMAGES {
        build(name)?;
    }
    let uf2 = uf2(&image("loa-board-rp2350"))?;
    println!("UF2: {}", uf2.display());
    for name in IMAGES {
        println!("{}", sizes(&image(name))?.table(name));
    }
    Ok(())
}

/// Builds one image.
pub(crate) fn build(name: &str) -> Result<()> {
    let boards = repository().join("firmware/boards");
    install::run(
        Command::new("cargo")
            .args(["build", "--release", "-p", name])
            .current_dir(boards),
    )
}

/// Where an image lies.
pub(crate) fn image(name: &str) -> PathBuf {
    repository()
        .join("firmware/boards/target")
        .join(TARGET)
        .join("release")
        .join(name)
}

/// Bytes of an image by part.
#[derive(Debug, Default)]
pub(crate) struct Sizes {
    /// Code.
    pub(crate) text: u64,
    /// Constants.
    pub(crate) rodata: u64,
    /// Variables with a value at the start: in flash and in RAM.
    pub(crate) data: u64,
    /// Variables that are zero at the start.
    pub(crate) bss: u64,
}

impl Sizes {
    /// Bytes of flash.
    pub(crate) fn flash(&self) -> u64 {
        self.text + self.rodata + self.data
    }

    /// Bytes of RAM, the stack not counted.
    pub(crate) fn statics(&self) -> u64 {
        self.data + self.bss
    }

    fn table(&self, name: &str) -> String {
        let Self {
            text,
            rodata,
            data,
            bss,
        } = self;
        format!(
            "{name}: flash {} (text {text}, rodata {rodata}, data {data}), RAM {} without stack (data {data}, bss {bss})",
            self.flash(),
            self.statics()
        )
    }
}

/// Reads the sizes of an ELF file's sections.
pub(crate) fn sizes(elf: &Path) -> Result<Sizes> {
    let bytes = std::fs::read(elf).with_context(|| format!("{}", elf.display()))?;
    let file = object::File::parse(&*bytes)?;
    let mut sizes = Sizes::default();
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else {
            continue;
        };
        let has = |flag: u32| sh_flags & u64::from(flag) != 0;
        if !has(elf::SHF_ALLOC) {
            continue;
        }
        let size = section.size();
        match (
            has(elf::SHF_WRITE),
            has(elf::SHF_EXECINSTR),
            section.file_range().is_some_and(|(_, bytes)| bytes > 0),
        ) {
            (true, _, true) => sizes.data += size,
            (true, _, false) => sizes.bss += size,
            (false, true, _) => sizes.text += size,
            (false, false, _) => sizes.rodata += size,
        }
    }
    Ok(sizes)
}

/// What an image is made of, and how to tell by the name of a symbol (mangled names have the crate's in them).
const PARTS: &[(&str, &[&str])] = &[
    (
        "libopus",
        &[
            "opus",
            "celt",
            "silk",
            "ec_",
            "clt_",
            "mdct",
            "pitch",
            "comb_filter",
            "denorm",
            "quant",
            "eMeans",
            "tf_",
            "laplace",
        ],
    ),
    (
        "TLS and ciphers",
        &[
            "embedded_tls",
            "p256",
            "primeorder",
            "elliptic_curve",
            "crypto_bigint",
            "ecdsa",
            "der",
            "aes",
            "ghash",
            "polyval",
            "sha2",
            "hmac",
            "hkdf",
            "ed25519",
            "curve25519",
            "digest",
        ],
    ),
    ("network", &["smoltcp", "embassy_net", "edge_", "w5500", "wiznet"]),
    ("MQTT", &["rust_mqtt", "mqtt"]),
    ("receiver and protocol", &["loa_receiver", "loa_protocol", "minicbor"]),
    ("board and shell", &["loa_board", "embassy", "cortex_m", "static_cell"]),
];

/// Bytes of flash and of static RAM by what they belong to, as far as symbols tell: with link-time optimisation a function
/// may hold others that were put into it.
pub(crate) fn parts(elf: &Path) -> Result<Vec<(&'static str, u64, u64)>> {
    let bytes = std::fs::read(elf).with_context(|| format!("{}", elf.display()))?;
    let file = object::File::parse(&*bytes)?;
    let mut parts: Vec<(&'static str, u64, u64)> = PARTS.iter().map(|(name, _)| (*name, 0, 0)).collect();
    parts.push(("everything else", 0, 0));
    for symbol in file.symbols() {
        let Some(section) = symbol
            .section_index()
            .and_then(|index| file.section_by_index(index).ok())
        else {
            continue;
        };
        let SectionFlags::Elf { sh_flags } = section.flags() else {
            continue;
        };
        if sh_flags & u64::from(elf::SHF_ALLOC) == 0 {
            continue;
        }
        let name = symbol.name().unwrap_or_default();
        let part = PARTS
            .iter()
            .position(|(_, words)| words.iter().any(|word| name.contains(word)));
        let part = &mut parts[part.unwrap_or(PARTS.len())];
        match sh_flags & u64::from(elf::SHF_WRITE) != 0 {
            true => part.2 += symbol.size(),
            false => part.1 += symbol.size(),
        }
    }
    Ok(parts)
}

/// Turns an ELF file into a UF2 beside it: what one drags onto the board's USB drive (Microsoft's UF2 specification;
/// blocks of 256 bytes, family RP2350 in Arm Secure mode).
fn uf2(elf: &Path) -> Result<PathBuf> {
    const PAGE: usize = 256;
    const FAMILY: u32 = 0xE48B_FF59;
    let bytes = std::fs::read(elf).with_context(|| format!("{}", elf.display()))?;
    let file = object::read::elf::ElfFile32::<object::Endianness>::parse(&*bytes)?;
    let endian = file.endian();
    let mut pages: std::collections::BTreeMap<u32, [u8; PAGE]> = std::collections::BTreeMap::new();
    for segment in file.elf_program_headers() {
        let data = segment
            .data(endian, &*bytes)
            .map_err(|()| anyhow::anyhow!("a segment lies outside the file"))?;
        if segment.p_type(endian) != elf::PT_LOAD {
            continue;
        }
        let start = segment.p_paddr(endian) as usize;
        for (address, byte) in (start..).zip(data) {
            let page = pages.entry((address / PAGE * PAGE) as u32).or_insert([0xFF; PAGE]);
            page[address % PAGE] = *byte;
        }
    }
    let mut out = Vec::with_capacity(pages.len() * 512);
    for (number, (address, page)) in pages.iter().enumerate() {
        let head = [
            0x0A32_4655,
            0x9E5D_5157,
            0x2000,
            *address,
            PAGE as u32,
            number as u32,
            pages.len() as u32,
            FAMILY,
        ];
        out.extend(head.iter().flat_map(|word| word.to_le_bytes()));
        out.extend(page);
        out.resize(out.len() + 476 - PAGE, 0);
        out.extend(0x0AB1_6F30u32.to_le_bytes());
    }
    let path = elf.with_extension("uf2");
    std::fs::write(&path, out)?;
    Ok(path)
}
