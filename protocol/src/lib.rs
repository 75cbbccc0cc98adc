//! The words of Loa on the wire, shared by server and firmware.
