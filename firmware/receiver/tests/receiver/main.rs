//! What a receiver does, on a virtual clock, through its public face alone. A file for each side of it.

#[cfg(test)]
mod attempts;
mod authority;
mod hello;
#[cfg(test)]
mod keys;
mod limits;
mod playing;
#[cfg(test)]
mod replay;
mod robust;
#[cfg(test)]
mod world;
