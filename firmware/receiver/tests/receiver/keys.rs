//! How keys, secret, place and authority change, and that a loss of power at any instant leaves a receiver that its server reaches.

use crate::world::{
    COMMUNE, Event, ME, PROVINCE, SECOND, TestDecoder, World, command_topic, enrolment, play, secret, server_key,
    signed,
};
use loa_protocol::agreement::{PrivateKey, PublicKey};
use loa_protocol::command::{Authority, Order, Play, Recipient, Rotate};
use loa_protocol::enrolment::Enrolment;
use loa_protocol::key::Secret;
use loa_protocol::report::fingerprint;
use loa_protocol::succession::Trust;
use loa_protocol::topic::{Downlink, Topic};
use loa_protocol::{AreaId, MAX_MESSAGE, SigningKey};

fn signing(n: u8) -> SigningKey {
    match n {
        1 => server_key(),
        n => SigningKey::from_bytes(&[n; 32]),
    }
}

/// Key `n - 1` says that key `n` follows it.
fn step(n: u8) -> Vec<u8> {
    let mut out = [0; MAX_MESSAGE];
    let trust = Trust {
        number: n.into(),
        key: signing(n).verifying_key(),
    };
    let length = trust.seal(&signing(n - 1), &mut out).unwrap();
    out[..length].to_vec()
}

fn succession(world: &mut World, message: Vec<u8>) {
    let topic = Topic::Down(ME, Downlink::Succession).text().as_str().to_owned();
    world.at(world.now, Event::Mqtt(topic, message));
    world.run(0);
}

fn volume(world: &mut World) -> u8 {
    let command = world.command(Recipient::Receiver(ME), Order::Volume(33));
    let before = world.receiver.counters().obeyed;
    world.deliver(&command);
    (world.receiver.counters().obeyed - before) as u8
}

/// The power fails; it boots with what was stored last.
fn power_cut(world: World, seed: u8) -> World {
    let flash = world.log.stored.last().cloned().unwrap_or_else(enrolment);
    let mut again = World::boot_as(flash, [seed; 32], TestDecoder);
    (again.secrets, again.key) = (world.secrets, world.key);
    again.clock_error = world.clock_error + i64::try_from(world.now).unwrap();
    again
}

fn refused(world: &World) -> u32 {
    world.receiver.counters().refused_commands
}

#[test]
fn after_a_year_away_it_walks_to_the_newest_key_and_obeys_that_one_only() {
    let mut world = World::ready();
    for n in 2..=6 {
        succession(&mut world, step(n));
        assert_eq!(
            world.log.stored.last().unwrap().key_number,
            n.into(),
            "stored before it is obeyed"
        );
    }
    assert_eq!(refused(&world), 0);
    for old in 1..=5 {
        world.key = signing(old);
        assert_eq!(volume(&mut world), 0, "key {old} is obeyed no more");
    }
    world.key = signing(6);
    assert_eq!((volume(&mut world), refused(&world)), (1, 5));
    world.run(SECOND);
    assert_eq!(world.log.telemetry.last().unwrap().1.key_number, 6);

    let mut world = power_cut(world, 2);
    world.boot();
    assert_eq!(volume(&mut world), 1);
    // The chain of its past, and another one from it, lead nowhere.
    for n in 2..=6 {
        succession(&mut world, step(n));
    }
    assert_eq!((refused(&world), world.log.stored.len()), (5, 0));
}

#[test]
fn a_key_that_cannot_be_stored_is_not_obeyed() {
    let mut world = World::ready();
    world.storage = false;
    succession(&mut world, step(2));
    assert_eq!(world.receiver.counters().not_stored, 1);
    world.key = signing(2);
    assert_eq!(volume(&mut world), 0);
    world.key = signing(1);
    assert_eq!(volume(&mut world), 1);
    // Next time it works.
    world.storage = true;
    succession(&mut world, step(2));
    world.key = signing(2);
    assert_eq!(volume(&mut world), 1);
}

#[test]
fn forged_steps_are_refused_and_counted() {
    let mut world = World::ready();
    let mut out = [0; MAX_MESSAGE];
    let trust = Trust {
        number: 2,
        key: signing(7).verifying_key(),
    };
    let length = trust.seal(&signing(7), &mut out).unwrap();
    let mut flipped = step(2);
    flipped[20] ^= 1;
    let command = world.command(Recipient::Receiver(ME), Order::Volume(1));
    for message in [
        out[..length].to_vec(),
        flipped,
        step(3),
        signed(&command, &server_key()),
        Vec::new(),
    ] {
        succession(&mut world, message);
    }
    // Nor is a step a command.
    world.at(world.now, Event::Mqtt(command_topic(), step(2)));
    world.run(0);
    assert_eq!((refused(&world), world.log.stored.len()), (6, 0));
}

/// The server's side of one rotation.
struct Server {
    private: PrivateKey,
    epoch: u32,
    old: Secret,
}

impl Server {
    fn new(n: u8, epoch: u32, old: Secret) -> Self {
        Self {
            private: PrivateKey::new([n; 32]),
            epoch,
            old,
        }
    }

    fn order(&self, world: &mut World) {
        world.order(Order::Rotate(Rotate {
            epoch: self.epoch,
            server: self.private.public(),
        }));
    }

    /// Computes the new secret from the last report, and takes words under it from now on.
    fn learn(&self, world: &mut World) -> Secret {
        let report = *world.log.rotations.last().expect("it has reported");
        assert_eq!((report.epoch, report.server), (self.epoch, self.private.public()));
        let new = self
            .private
            .next_secret(&report.receiver, &self.old, self.epoch)
            .unwrap();
        world.secrets = vec![new.clone(), self.old.clone()];
        new
    }
}

/// Nothing but the new secret is used any more.
fn is_done(world: &mut World, new: &Secret, epoch: u32) {
    let stored = world.log.stored.last().unwrap();
    assert_eq!((&stored.secret, stored.epoch, &stored.unfinished), (new, epoch, &None));
    assert_eq!(world.receiver.session(0).password, new.mqtt_password());
    assert_eq!(world.receiver.session(1).password, new.mqtt_password());
    world.secrets = vec![new.clone()];
    let hellos = world.log.hellos.len();
    world.run(31 * SECOND);
    assert_eq!(world.log.telemetry.last().unwrap().1.secret_epoch, epoch);
    assert!(
        world.log.hellos.len() >= hellos + 5,
        "every hello is under the new secret"
    );
}

#[test]
fn a_secret_is_rotated_without_travelling() {
    let mut world = World::ready();
    let server = Server::new(0x31, 1, secret());
    server.order(&mut world);
    let flash = world.log.stored.last().unwrap().clone();
    assert_eq!(flash.unfinished.as_ref().map(|it| &it.secret), Some(&secret()));
    // The server has not taken the report: the receiver stays reachable by the old secret, and tries both.
    world.run(31 * SECOND);
    assert_eq!(world.log.telemetry.last().unwrap().1.secret_epoch, 0);
    assert!(world.receiver.enrolment().unfinished.is_some());
    let passwords = [0, 1, 2].map(|attempt| world.receiver.session(attempt).password);
    assert_eq!(
        passwords,
        [secret(), flash.secret.clone(), secret()].map(|it| it.mqtt_password())
    );
    assert_eq!(volume(&mut world), 1);

    let new = server.learn(&mut world);
    assert_eq!(new, flash.secret);
    world.run(11 * SECOND);
    is_done(&mut world, &new, 1);
    assert!(world.log.rotations.len() >= 2 && refused(&world) == 0);

    // And again.
    let server = Server::new(0x32, 2, new);
    server.order(&mut world);
    let newer = server.learn(&mut world);
    world.run(11 * SECOND);
    is_done(&mut world, &newer, 2);
}

#[test]
fn wherever_the_power_fails_in_a_rotation_it_comes_to_its_end() {
    // Before anything was stored; after that; after the server has learnt; after the receiver knows that.
    for cut in 0..4 {
        let mut world = World::ready();
        let server = Server::new(0x33, 1, secret());
        if cut > 0 {
            server.order(&mut world);
        }
        if cut > 1 {
            server.learn(&mut world);
        }
        if cut > 2 {
            world.run(11 * SECOND);
        }
        let mut world = power_cut(world, 0x40 + cut);
        world.boot();
        world.run(2 * SECOND);
        assert_eq!(volume(&mut world), 1, "cut {cut}");
        // The server orders until it has taken a report under the new secret.
        server.order(&mut world);
        world.run(SECOND);
        let new = match world.log.rotations.is_empty() {
            true => world.secrets[0].clone(),
            false => server.learn(&mut world),
        };
        world.run(11 * SECOND);
        if world.log.stored.is_empty() {
            let flash = world.receiver.enrolment().clone();
            world.log.stored.push(flash);
        }
        is_done(&mut world, &new, 1);
        assert_eq!(refused(&world), 0, "cut {cut}");
    }
}

#[test]
fn an_order_that_the_server_gave_up_is_taken_over_by_the_next() {
    let mut world = World::ready();
    Server::new(0x34, 1, secret()).order(&mut world);
    // Its key is lost; the secret of both is still the old one.
    let server = Server::new(0x35, 1, secret());
    server.order(&mut world);
    let new = server.learn(&mut world);
    // The next epoch says that the server has this one.
    let next = Server::new(0x36, 2, new.clone());
    next.order(&mut world);
    world.secrets = vec![new.clone()];
    world.run(31 * SECOND);
    let newest = next.learn(&mut world);
    world.run(11 * SECOND);
    is_done(&mut world, &newest, 2);
}

#[test]
fn rotations_that_lead_nowhere_are_refused() {
    let mut world = World::ready();
    for (epoch, key) in [(2, [7; 32]), (u32::MAX, [7; 32]), (1, [0; 32])] {
        world.order(Order::Rotate(Rotate {
            epoch,
            server: PublicKey(key),
        }));
    }
    assert_eq!((refused(&world), world.log.stored.len()), (3, 0));
    world.storage = false;
    Server::new(0x37, 1, secret()).order(&mut world);
    world.run(SECOND);
    assert_eq!(world.receiver.counters().not_stored, 1);
    assert!(world.log.rotations.is_empty(), "what is not stored is not told");
    assert_eq!(volume(&mut world), 1);
}

#[test]
fn sound_goes_on_under_either_secret() {
    let mut world = World::ready();
    let server = Server::new(0x38, 1, secret());
    let start = world.now + 3 * SECOND;
    // On the air while the secret is rotated, then one under each secret while it is unfinished.
    let (running, old, new) = (
        play(1, start, 48_000 * 4),
        play(2, start + 6 * SECOND, 48_000),
        play(3, start + 8 * SECOND, 48_000),
    );
    world.broadcast(&running, SECOND);
    world.run(4 * SECOND);
    server.order(&mut world);
    world.run(SECOND);
    let report = world.log.rotations[0];
    let secret_now = server.private.next_secret(&report.receiver, &secret(), 1).unwrap();
    world.order(Order::Play(old));
    world.send_under(&secret(), &old, SECOND);
    world.order(Order::Play(new));
    world.send_under(&secret_now, &new, SECOND);
    world.run(12 * SECOND);
    for it in [running, old, new] {
        assert_eq!(world.receipt(&it).played, it.samples, "{:?}", it.broadcast);
        assert_eq!(world.receipt(&it).lost, 0);
    }
    // Just finished: what the server sealed before it knew of that still sounds.
    server.learn(&mut world);
    world.run(11 * SECOND);
    assert_eq!(world.receiver.enrolment().unfinished, None);
    let late = Play {
        start: world.wall(world.now + 2 * SECOND),
        ..play(4, 0, 48_000)
    };
    world.order(Order::Play(late));
    world.send_under(&secret(), &late, SECOND);
    world.run(5 * SECOND);
    assert_eq!(world.receipt(&late).lost, 0);
    // Under no secret of its: never.
    let refused = world.receiver.counters().refused_media;
    let foreign = Play {
        start: world.wall(world.now + 2 * SECOND),
        ..play(5, 0, 48_000)
    };
    world.order(Order::Play(foreign));
    world.send_under(&Secret([0x99; 32]), &foreign, SECOND);
    world.run(5 * SECOND);
    assert_eq!(world.receipt(&foreign).played, 0);
    assert_eq!(
        u64::from(world.receiver.counters().refused_media - refused),
        foreign.packets()
    );
}

#[test]
fn it_is_moved_and_old_words_to_its_new_area_do_not_reach_it() {
    let mut world = World::ready();
    let elsewhere = AreaId([0x33; 16]);
    let to = |world: &mut World, area| world.command(Recipient::Area(area), Order::Volume(44));
    let early = to(&mut world, elsewhere);
    world.deliver(&early);
    assert_eq!(refused(&world), 1);
    world.run(SECOND);
    let subscribed = world.log.subscribed.len();
    world.order(Order::Areas([PROVINCE, elsewhere].into_iter().collect()));
    world.run(SECOND);
    let topics = |area| Topic::Area(area).text().as_str().to_owned();
    assert_eq!(
        world.log.subscribed[subscribed..],
        [topics(PROVINCE), topics(elsewhere)]
    );
    assert_eq!(world.log.telemetry.last().unwrap().1.area, Some(elsewhere));
    // What was said to the others before it came is not said to it.
    world.deliver(&early);
    assert_eq!(refused(&world), 2);
    let left = to(&mut world, COMMUNE);
    world.deliver(&left);
    assert_eq!(refused(&world), 3);
    let obeyed = world.receiver.counters().obeyed;
    let now = to(&mut world, elsewhere);
    world.deliver(&now);
    world.deliver(&now);
    assert_eq!((world.receiver.counters().obeyed, refused(&world)), (obeyed + 1, 4));

    let mut world = power_cut(world, 3);
    world.boot();
    assert_eq!(world.receiver.enrolment().areas, [PROVINCE, elsewhere]);
}

#[test]
fn authorities_overlap() {
    let order = |n: u8, alone| {
        let certificate = [n; 300].into_iter().collect();
        Order::Authority(Authority { certificate, alone })
    };
    let trusted = |world: &World| -> Vec<u8> {
        [0, 1]
            .map(|attempt| world.receiver.session(attempt).ca.unwrap()[0])
            .into()
    };
    let first = Enrolment {
        mqtt_ca: Some([1; 400].into_iter().collect()),
        ..enrolment()
    };
    let mut world = World::boot_as(first, [4; 32], TestDecoder);
    world.boot();
    assert_eq!(trusted(&world), [1, 1]);
    world.order(order(2, true));
    assert_eq!(
        (refused(&world), trusted(&world)),
        (1, vec![1, 1]),
        "nothing is given up for what was never tried"
    );
    world.order(order(2, false));
    assert_eq!(trusted(&world), [2, 1], "the newer one first");
    world.run(SECOND);
    assert_eq!(
        world.log.telemetry.last().unwrap().1.authority,
        Some(fingerprint(&[2; 300]))
    );
    world.order(order(3, false));
    assert_eq!(trusted(&world), [3, 2], "the oldest goes");
    world.order(order(3, true));
    assert_eq!(trusted(&world), [3, 3]);
    world.order(order(4, false));
    world.order(order(3, true));
    assert_eq!(
        (trusted(&world), refused(&world)),
        (vec![3, 3], 1),
        "the change is called off"
    );

    let mut plain = World::ready();
    plain.order(order(2, false));
    assert_eq!((refused(&plain), plain.log.stored.len()), (1, 0));
}
