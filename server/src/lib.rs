//! The Loa server: schedules and streams broadcasts to loudspeakers.
//!
//! From the bottom up: [`authority`] (who may do what, where); [`store`] (what is kept) and [`media`] (sound in files); [`speech`] (text read
//! aloud);
//! [`broker`], [`fleet`] and [`transmit`] (the way to the receivers); [`schedule`] (what plays when and
//! why); [`playout`] (what is on the air); [`patience`] (how
//! long who guesses waits); [`oidc`] (who comes in by a province's single sign-on); [`http`] (what people reach), by [`https`] if they come from elsewhere. [`serve`] puts a server
//! together, [`cli`] is the command line. [`config`] is how it is set up, [`data`] what lies in its folder, [`enrol`] what
//! a new receiver is told, [`clock`] the only place that reads one.
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "fuzzing"))]
pub mod attempts;
pub mod authority;
pub mod backup;
pub mod broker;
pub mod cli;
pub mod clock;
pub mod config;
pub mod data;
pub mod enrol;
pub mod fleet;
pub mod http;
pub mod https;
pub mod media;
pub mod oidc;
pub mod patience;
pub mod playout;
pub mod schedule;
pub mod serve;
pub mod speech;
pub mod store;
pub mod transmit;
