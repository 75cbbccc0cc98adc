//! When what plays where, and why. Here: recurrence, what areas allow, and the plan that follows from both: pure, no I/O, no clock.
//! Not here: keeping schedules (`store`), putting them on the air (`playout`).

pub mod calendar;
pub mod deadlines;
pub mod forecast;
pub mod plan;
pub mod playlist;
pub mod presets;
pub mod recurrence;
pub mod rivals;
pub mod rules;
pub mod series;

#[cfg(test)]
mod dateutil_tests;
#[cfg(test)]
mod played_tests;
#[cfg(test)]
mod tests;
