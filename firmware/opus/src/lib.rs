//! libopus' fixed-point decoder for the receiver, on a chip and on a host.
