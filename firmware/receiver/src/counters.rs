//! What a receiver counts.

/// Counts since boot; none ever goes back. Beyond those of telemetry and receipts they are for tests and technicians.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Commands obeyed.
    pub obeyed: u32,
    /// Commands refused: forged, replayed, malformed, expired, for others, or before the clock was set.
    pub refused_commands: u32,
    /// Changes of the enrolment that could not be stored, and so were not made.
    pub not_stored: u32,
    /// Broadcasts that gave way because there is no room for more.
    pub crowded_out: u32,
    /// Broadcasts told of after their end.
    pub too_late: u32,
    /// Media datagrams refused: forged, replayed, malformed, of an unknown stream, answers to no hello.
    pub refused_media: u32,
    /// Media packets that came as they should.
    pub packets: u64,
    /// Of streams that have ended here: the server had not heard of it yet.
    pub stray: u32,
    /// Packets that came more than once.
    pub duplicate: u64,
    /// Packets that came after their time.
    pub late: u64,
    /// Packets that came in time and found no room.
    pub overflowed: u32,
    /// Packets that were to sound.
    pub expected: u64,
    /// Packets that did not come in time, or were no sound.
    pub lost: u64,
    /// Packets of `lost` that came in time, authentic, but could not be decoded.
    pub damaged: u64,
    /// Sender reports taken.
    pub sender_reports: u32,
    /// Sender reports that place the stream elsewhere than its command does.
    pub odd_sender_reports: u32,
    /// Hellos said.
    pub hellos: u32,
    /// Hellos answered.
    pub answers: u32,
    /// Times that running sound had to jump: the clock was corrected by more than 20 ms, or nobody looked at the time.
    pub jumps: u32,
}
