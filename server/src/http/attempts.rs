//! Any bytes as the body of a request; see `crate::attempts`.

use serde::de::DeserializeOwned;

use super::phrases::{NewPhrase, PhraseChange};
use super::readings::NewReading;
use super::shapes::{NewArea, NewBroadcast, NewReceiver, ReceiverChange, Setup, SignIn};
use super::speech::{NewSpeech, Script};

/// The first byte says which body it is.
pub(crate) fn bodies(input: &[u8]) {
    let Some((kind, body)) = input.split_first() else {
        return;
    };
    let readers: &[fn(&[u8])] = &[
        read::<SignIn>,
        read::<Setup>,
        read::<NewArea>,
        read::<NewReceiver>,
        read::<ReceiverChange>,
        read::<NewBroadcast>,
        read::<NewReading>,
        read::<NewPhrase>,
        read::<PhraseChange>,
        read::<Script>,
        read::<NewSpeech>,
    ];
    readers[usize::from(*kind) % readers.len()](body);
}

fn read<T: DeserializeOwned>(body: &[u8]) {
    // Any error will do.
    drop(serde_json::from_slice::<T>(body));
}
