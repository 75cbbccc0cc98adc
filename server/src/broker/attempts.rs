//! What a stranger sends to the embedded broker before it has said who it is; see `crate::attempts`.

use bytes::BytesMut;
use mqtt5::transport::packet_io::decode_buffered_packet;

use super::PACKET;

/// A stream of bytes, read packet by packet as the broker reads it, in both versions of MQTT.
pub(crate) fn packets(input: &[u8]) {
    for version in [5, 4] {
        let mut stream = BytesMut::from(input);
        let mut left = stream.len();
        while let Ok(Some(_)) = decode_buffered_packet(&mut stream, version, PACKET) {
            assert!(stream.len() < left, "a packet of no bytes");
            left = stream.len();
        }
    }
}
