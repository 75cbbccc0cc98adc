//! Why a file does not become a programme. Here: the reasons, with what a person needs to mend them. Not here: the words
//! shown to people (`http` translates the variants) and HTTP status codes.

use std::time::Duration;

/// Why an upload was not taken. Nothing is kept of a file that was not taken.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The file has no bytes.
    #[error("the file is empty")]
    Empty,
    /// No known audio format begins in this file, whatever its name says.
    #[error("the file is not audio in a known format (MP3, AAC/M4A, FLAC, WAV, Ogg Vorbis, Opus)")]
    NotAudio,
    /// The file is certainly something else, which the text names.
    #[error("the file is {0}, not audio in a known format (MP3, AAC/M4A, FLAC, WAV, Ogg Vorbis, Opus)")]
    IsSomethingElse(&'static str),
    /// The container is known, but it holds no audio track.
    #[error("the file holds no audio track")]
    NoAudioTrack,
    /// A known container or codec with a feature that is not supported; the text names it.
    #[error("unsupported audio: {0}")]
    Unsupported(String),
    /// The sample rate, in hertz, is outside 8 to 96 kHz.
    #[error("sample rate of {0} Hz is not supported (8000 to 96000)")]
    UnsupportedRate(u32),
    /// The number of channels is outside 1 to 8.
    #[error("{0} channels are not supported (1 to 8)")]
    UnsupportedChannels(usize),
    /// The audio ends before its header says it does: the transfer broke off.
    #[error("the file is cut short: {:.1} s of {:.1} s are there", .found.as_secs_f64(), .promised.as_secs_f64())]
    Truncated {
        /// Playing time found.
        found: Duration,
        /// Playing time that the header promises.
        promised: Duration,
    },
    /// The format was recognised, yet nothing, or too little of it to be speech, could be decoded; the text says what.
    #[error("the audio is damaged: {0}")]
    Damaged(String),
    /// Longer than the server is configured to take.
    #[error("longer than the limit of {:.0} s", .limit.as_secs_f64())]
    TooLong {
        /// The configured limit.
        limit: Duration,
    },
    /// More bytes than the server is configured to take.
    #[error("larger than the limit of {limit} bytes")]
    TooLarge {
        /// The configured limit in bytes.
        limit: u64,
    },
    /// Reading the upload or writing the programme failed.
    #[error("file access failed: {0}")]
    Io(#[from] std::io::Error),
    /// The encoder refused; a fault of the server, not of the file.
    #[error("encoding failed: {0}")]
    Encoder(#[from] opus::Error),
}
