//! The Loa server: schedules and streams broadcasts to loudspeakers.
//!
//! From the bottom up: [`store`] (what is kept), [`media`] (sound in files), [`playout`] (what is on the air), [`http`]
//! (what people reach); [`serve`] puts a server together, [`cli`] is the command line. [`config`] is how it is set up,
//! [`data`] what lies in its folder, [`enrol`] what a new receiver is told, [`clock`] the only place that reads one.
#![forbid(unsafe_code)]

pub mod cli;
pub mod clock;
pub mod config;
pub mod data;
pub mod enrol;
pub mod http;
pub mod media;
pub mod playout {
    //! In wait for the rest of it.
    mod archive;
    pub mod conductor;
    pub use archive::{Archive, BroadcastRow, Fact, ReceiverRow};
    /// How long before a broadcast that is to start now.
    pub const LEAD: std::time::Duration = std::time::Duration::from_millis(1500);
    use loa_protocol::{BroadcastId, ReceiverId};
    /// What the rest of the server tells the stage.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Notice {
        /// A broadcast was accepted: it is in the archive.
        Accepted(BroadcastId),
        /// A broadcast is to stop: so it stands in the archive.
        Stopped(BroadcastId),
        /// Receivers or areas were added, changed or removed.
        ReceiversChanged,
        /// A receiver's volume was changed.
        Volume(ReceiverId),
        /// A receiver is to start afresh.
        Reboot(ReceiverId),
    }
}
pub mod serve;
pub mod store;
