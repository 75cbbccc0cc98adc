//! Who there is, and what each trusts. Here: the stage's part in the life of receivers: taking up what was changed, leading each
//! to the newest key and authority, new secrets, claimed devices, alarms. Not here: broadcasts (`stage`), what people order
//! (`store`, `http`).
//!
//! Everything that a receiver must learn is told again whenever it comes and does not know it yet: nobody has to be there when it
//! is decided.

use std::collections::{HashMap, HashSet};

use loa_protocol::claim::{Answer, Request};
use loa_protocol::command::Policy;
use loa_protocol::report::{Telemetry, fingerprint};
use loa_protocol::rotation::Rotation;
use loa_protocol::succession::FIRST;
use loa_protocol::{ClaimId, ReceiverId};

use super::archive::{Archive, ClaimRow, Fact, ReceiverRow};
use super::conductor::Input;
use super::stage::Stage;
use crate::enrol::claims::Heard;
use crate::fleet::clones::Sign;

/// What the stage remembers of receivers besides their rows.
#[derive(Default)]
pub(super) struct Roll {
    pub(super) online: HashSet<ReceiverId>,
    /// Devices that were claimed and have not come yet.
    claimed: HashMap<ClaimId, ClaimRow>,
    /// Who was told, since this server started, to trust the present authority alone.
    settled: HashSet<ReceiverId>,
    /// What who is there was told that its areas allow.
    policies: HashMap<ReceiverId, Policy>,
}

impl<A: Archive> Stage<A> {
    /// Takes up everything that was changed: receivers, keys, authorities, claims.
    pub(super) async fn read_receivers(&mut self) -> Result<(), A::Error> {
        (self.refresh)();
        let newer = match self.keys.follow(&self.archive.keys().await?) {
            Ok(newer) => newer,
            Err(error) => {
                tracing::error!(%error, "the next signing key cannot be used: the one before goes on");
                false
            }
        };
        let rows = self.archive.receivers().await?;
        let revoked = self.archive.revoked().await?;
        self.roll.claimed = self.archive.claims().await?.into_iter().map(|it| (it.id, it)).collect();
        let new = rows.into_iter().map(|row| (row.id, row)).collect();
        let old = std::mem::replace(&mut self.receivers, new);
        let identities = || self.receivers.values().map(ReceiverRow::identity);
        // First nobody gets anything any more who may not; then the others are told.
        self.transmitter.peers().revoke(revoked.iter().copied());
        self.transmitter.peers().replace(identities());
        self.fleet.revoke(revoked);
        self.fleet.replace(identities());
        if let Some(credentials) = &self.credentials {
            credentials.replace(identities());
        }
        self.roll.online.retain(|id| self.receivers.contains_key(id));
        self.roll.policies.retain(|id, _| self.receivers.contains_key(id));
        let mut others = Vec::new();
        for (id, row) in &mut self.receivers {
            match old.get(id).filter(|before| before.epoch == row.epoch) {
                Some(before) => row.key_number = before.key_number.max(row.key_number),
                None => others.push(*id),
            }
        }
        for id in others {
            // Another device goes by that name now.
            self.watch.look(|clones| {
                clones.forget(id);
                None
            });
            self.redirect(id);
        }
        let trusted = self.trusted.load_full();
        if trusted != self.told {
            self.told = trusted;
            self.roll.settled.clear();
        }
        for id in self.roll.online.iter().copied().collect::<Vec<_>>() {
            let (Some(row), before) = (self.receivers.get(&id), old.get(&id)) else {
                continue;
            };
            if newer {
                self.fleet.succession(id, row.key_number.unwrap_or(FIRST));
            }
            if before.is_some_and(|before| before.areas != row.areas) {
                self.fleet.areas(id, &row.areas);
            }
            let ordered = |row: &ReceiverRow| row.renewal.is_some();
            if ordered(row) && !before.is_some_and(ordered) {
                self.order_rotation(id);
            }
        }
        self.tell_policies();
        Ok(())
    }

    /// A receiver has come: what it must know before it obeys anything.
    pub(super) fn welcome(&mut self, id: ReceiverId) {
        self.roll.settled.remove(&id);
        let Some(row) = self.receivers.get(&id) else { return };
        self.fleet.succession(id, row.key_number.unwrap_or(FIRST));
        self.roll.policies.remove(&id);
        self.tell_policy(id);
        let Some(row) = self.receivers.get(&id) else { return };
        self.fleet.volume(id, row.volume);
        self.order_rotation(id);
        self.tell_over(id);
    }

    /// Tells who is there what their areas allow by now: rules were changed, or another day has begun, in another season.
    pub(super) fn tell_policies(&mut self) {
        let online: Vec<_> = self.roll.online.iter().copied().collect();
        online.into_iter().for_each(|id| self.tell_policy(id));
    }

    fn tell_policy(&mut self, id: ReceiverId) {
        let Some(row) = self.receivers.get(&id) else { return };
        match row.place.policy((self.clock)()) {
            Ok(policy) if self.roll.policies.get(&id) != Some(&policy) => {
                self.fleet.policy(id, &policy);
                self.roll.policies.insert(id, policy);
            }
            Ok(_) => {}
            // It keeps to what it was told last.
            Err(error) => {
                tracing::error!(%error, receiver = %id, "what its areas allow is more than a receiver can be told")
            }
        }
    }

    /// A receiver says what it trusts and where it thinks that it lies: what is not so is told again.
    pub(super) fn heard(&mut self, id: ReceiverId, telemetry: &Telemetry) {
        let Some(row) = self.receivers.get_mut(&id) else { return };
        let claimed = self
            .roll
            .claimed
            .iter()
            .find(|(_, it)| it.receiver == id)
            .map(|(claim, _)| *claim);
        if let Some(claim) = claimed {
            // It has come: it needs no answer any more.
            self.roll.claimed.remove(&claim);
        }
        // One that does not tell knows nothing of all this.
        if telemetry.key_number == 0 {
            return;
        }
        row.key_number = Some(telemetry.key_number);
        if telemetry.key_number < self.keys.trust().number {
            self.fleet.succession(id, telemetry.key_number);
        }
        if telemetry.area != row.areas.last().copied() {
            self.fleet.areas(id, &row.areas);
        }
        let Some(authority) = telemetry.authority else { return };
        match (&self.told.next, &self.told.current) {
            (Some(next), _) if authority != fingerprint(next) => self.fleet.authority(id, next, false),
            (None, Some(current))
                if self.told.alone && authority == fingerprint(current) && self.roll.settled.insert(id) =>
            {
                self.fleet.authority(id, current, true);
            }
            _ => {}
        }
    }

    /// Orders the next secret, if one is to be ordered and has not come yet.
    pub(super) fn order_rotation(&mut self, id: ReceiverId) {
        let Some(row) = self.receivers.get(&id) else { return };
        if let Some(renewal) = row.renewal.as_ref().filter(|it| it.next.is_none()) {
            self.fleet.rotate(id, row.epoch + 1, renewal.half.public());
        }
    }

    /// One receiver's row was changed.
    pub(super) async fn read_receiver(&mut self, id: ReceiverId) {
        match self.archive.receiver(id).await {
            Ok(Some(mut row)) => {
                row.key_number = row.key_number.max(self.receivers.get(&id).and_then(|it| it.key_number));
                self.put(row);
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, receiver = %id, "a receiver could not be read"),
        }
    }

    /// A receiver has told its half of the next secret. Both hold only once that is on the disk: the receiver may forget the old
    /// one as soon as it is answered under the new.
    pub(super) async fn rotated(&mut self, id: ReceiverId, rotation: Rotation) {
        let Some(mut row) = self.receivers.get(&id).cloned() else {
            return;
        };
        let Some(renewal) = &mut row.renewal else { return };
        let made = renewal.half.next_secret(&rotation.receiver, &row.secret, row.epoch + 1);
        let Ok(next) = made else {
            return tracing::warn!(receiver = %id, "a receiver's half of its next secret is of no use");
        };
        match self.archive.renew(id, row.epoch, &next, rotation.serial).await {
            Ok(true) => {
                renewal.next = Some(next);
                row.last.rotation = rotation.serial;
                self.put(row);
            }
            Ok(false) => {}
            Err(error) => tracing::error!(%error, receiver = %id, "a receiver's next secret could not be kept"),
        }
    }

    /// A receiver has reported under its next secret: that is its secret now.
    pub(super) async fn proven(&mut self, id: ReceiverId) {
        let Some(mut row) = self.receivers.get(&id).cloned() else {
            return;
        };
        let Some(next) = row.renewal.as_ref().and_then(|it| it.next.clone()) else {
            return;
        };
        match self.archive.renewed(id, row.epoch, (self.clock)()).await {
            Ok(true) => {}
            Ok(false) => return,
            // Both go on holding, and the next report proves it again.
            Err(error) => return tracing::error!(%error, receiver = %id, "a receiver's new secret could not be kept"),
        }
        (row.secret, row.epoch, row.renewal) = (next, row.epoch + 1, None);
        self.put(row);
        tracing::info!(receiver = %id, "a receiver has a new secret");
        // What sounds is sealed under the new one from now on.
        self.redirect(id);
        if self.roll.online.contains(&id) {
            self.tell(Input::Presence(id, true));
        }
    }

    fn put(&mut self, row: ReceiverRow) {
        let identity = row.identity();
        self.transmitter.peers().put(identity.clone());
        if let Some(credentials) = &self.credentials {
            credentials.put(&identity);
        }
        self.fleet.put(identity);
        self.receivers.insert(row.id, row);
    }

    /// A device asks to be enrolled.
    pub(super) fn asked(&mut self, claim: ClaimId, request: Request) {
        if self.answer(claim, request.key_number) {
            return;
        }
        let origin = self.credentials.as_ref().and_then(|it| it.claimant(claim));
        let heard = self.book().hear(request, origin, crate::data::random(), (self.clock)());
        match heard {
            Heard::New => self.keep(Fact::Claims),
            Heard::Again => {}
            Heard::Crowded | Heard::Refused => self.fleet.counters().claims.add(1),
        }
    }

    /// Answers a device that was claimed; `false` if it was not.
    pub(super) fn answer(&self, claim: ClaimId, trusts: u32) -> bool {
        let row = self.roll.claimed.get(&claim);
        let Some((row, receiver)) = row.and_then(|it| Some((it, self.receivers.get(&it.receiver)?))) else {
            return false;
        };
        let (Ok(areas), Ok(media_host)) = (crate::enrol::path(&receiver.areas), row.media.0.as_str().try_into()) else {
            tracing::error!(receiver = %receiver.id, "what a claimed device is to be told does not fit");
            return false;
        };
        let answer = Answer {
            device: row.device,
            server: row.server,
            receiver: receiver.id,
            areas,
            media_host,
            media_port: row.media.1,
            epoch: receiver.epoch,
        };
        self.fleet.answer(claim, trusts, &answer);
        true
    }

    /// Strikes out devices that ask no more.
    pub(super) fn strike_out(&self) {
        if self.book().strike_out((self.clock)()) {
            self.keep(Fact::Claims);
        }
    }

    fn book(&self) -> std::sync::MutexGuard<'_, crate::enrol::claims::Book> {
        // It is whole between any two of its operations.
        self.claims.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Two devices were seen under one name.
    pub(super) fn alarm(&self, id: ReceiverId, sign: Sign) {
        tracing::warn!(receiver = %id, sign = sign.name(), "two devices go by one receiver's name");
        self.fleet.counters().clones.add(1);
        self.keep(Fact::Cloned(id, sign, (self.clock)()));
    }
}
