//! When what plays where, and why. Here: recurrence, what areas allow, and the plan that follows from both: pure, no I/O, no clock.
//! Not here: keeping schedules (`store`), putting them on the air (`playout`).

pub mod plan;
pub mod recurrence;
pub mod rules;

#[cfg(test)]
mod dateutil_tests;
#[cfg(test)]
mod tests;
