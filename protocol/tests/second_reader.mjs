// Reads the golden vectors by docs/protocol.md alone, with nothing of ours: Node's own HKDF, HMAC, Ed25519 and AES, and the
// few lines of CBOR below. That it agrees shows that the page is enough for another maker. Run by second_reader.rs.

import {
    createCipheriv, createDecipheriv, createHash, createHmac, createPrivateKey, createPublicKey, diffieHellman, hkdfSync, verify,
} from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';

const folder = new URL('golden/', import.meta.url);
const vector = (name) => Buffer.from(readFileSync(new URL(`${name}.hex`, folder), 'utf8').replace(/\s/g, ''), 'hex');
const names = readdirSync(folder).map((file) => file.replace('.hex', ''));

let failed = 0;
let checked = 0;
function check(name, holds) {
    checked += 1;
    if (!holds) {
        failed += 1;
        console.error(`${name} reads differently`);
    }
}

/** Reads one CBOR item at `at`; gives it and where the next begins. */
function cbor(bytes, at = 0) {
    const type = bytes[at] >> 5;
    const info = bytes[at] & 31;
    let value = info;
    let next = at + 1;
    if (info >= 24 && info <= 27) {
        const length = 1 << (info - 24);
        value = Number(BigInt('0x' + bytes.subarray(next, next + length).toString('hex')));
        next += length;
    }
    const items = (count) => {
        const all = [];
        for (let n = 0; n < count; n += 1) {
            let item;
            [item, next] = cbor(bytes, next);
            all.push(item);
        }
        return all;
    };
    switch (type) {
        case 0: return [value, next];
        case 1: return [-1 - value, next];
        case 2: return [bytes.subarray(next, next + value), next + value];
        case 3: return [bytes.toString('utf8', next, next + value), next + value];
        case 4: { const all = items(value); return [all, next]; }
        case 5: {
            const all = items(value * 2);
            return [new Map(all.flatMap((key, n) => (n % 2 ? [] : [[key, all[n + 1]]]))), next];
        }
        case 6: { const [item] = items(1); return [{ tag: value, item }, next]; }
        default: return [{ 20: false, 21: true, 22: null }[info], next];
    }
}

const head = (type, length) => Buffer.from(
    length < 24 ? [type << 5 | length] : length < 256 ? [type << 5 | 24, length] : [type << 5 | 25, length >> 8, length & 255],
);
const bytesItem = (bytes) => Buffer.concat([head(2, bytes.length), bytes]);
const textItem = (text) => Buffer.concat([head(3, text.length), Buffer.from(text)]);
const toProve = (word, header, context, payload) => Buffer.concat(
    [head(4, 4), textItem(word), bytesItem(header), bytesItem(Buffer.from(context)), bytesItem(payload)],
);

// Keys.
const secret = vector('key_secret');
const stream = Buffer.alloc(16, 0xc3);
const derive = (info, length) => Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), info, length));
const helloKey = derive('loa/1 hello', 32);
const reportKey = derive('loa/1 report', 32);
const master = derive(Buffer.concat([Buffer.from('loa/1 srtp'), stream]), 28);
check('key_mqtt_password', derive('loa/1 mqtt password', 32).toString('hex') === vector('key_mqtt_password').toString());
check('key_hello', helloKey.equals(vector('key_hello')));
check('key_report', reportKey.equals(vector('key_report')));
check('key_srtp_master', master.equals(vector('key_srtp_master')));

/** RFC 3711 §4.3.3: AES in counter mode over zeros. */
function session(label, length) {
    const counter = Buffer.concat([master.subarray(16), Buffer.alloc(4)]);
    counter[7] ^= label;
    return createCipheriv('aes-128-ctr', master.subarray(0, 16), counter).update(Buffer.alloc(length));
}
const [rtpKey, rtpSalt, rtcpKey, rtcpSalt] = [session(0, 16), session(2, 12), session(3, 16), session(5, 12)];
check('key_srtp_session', Buffer.concat([rtpKey, rtpSalt, rtcpKey, rtcpSalt]).equals(vector('key_srtp_session')));

// Hello and answer.
const mac = (bytes) => createHmac('sha256', helloKey).update(bytes).digest().subarray(0, 16);
for (const name of ['hello', 'hello_probe', 'hello_clock_not_set', 'answer']) {
    const bytes = vector(name);
    const end = name === 'answer' ? 28 : 36;
    check(name, bytes.length === end + 16 && mac(bytes.subarray(0, end)).equals(bytes.subarray(end)));
}

// Commands and reports.
const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), vector('key_command_public')]);
const serverKey = createPublicKey({ key: spki, format: 'der', type: 'spki' });
const fields = {};
for (const name of names.filter((name) => /^(command|telemetry|receipt|rotation|succession|claim_answer)(?!_bad)/.test(name)
    && !/_bad_/.test(name))) {
    const bytes = vector(name);
    const [{ tag, item: [header, , payload, proof] }, end] = cbor(bytes);
    const kind = name.split('_')[0];
    const authentic = /command|succession|claim/.test(kind)
        ? tag === 18 && header.toString('hex') === 'a10127'
            && verify(null, toProve('Signature1', header, `loa/1 ${kind}`, payload), serverKey, proof)
        : tag === 17 && header.toString('hex') === 'a10105'
            && createHmac('sha256', reportKey).update(toProve('MAC0', header, `loa/1 ${kind}`, payload)).digest().equals(proof);
    const [map, last] = cbor(payload);
    const rising = [...map.keys()].every((key, n, keys) => n === 0 || keys[n - 1] < key);
    check(name, authentic && end === bytes.length && last === payload.length && rising);
    fields[name] = map;
}
const play = fields.command_play.get(10);
check('command_play', play.get(2).equals(stream) && play.get(3) === 0xdecafbad && play.get(4) === 1 && play.get(5) === 3
    && play.get(6) === Date.UTC(2026, 10, 30, 22, 30) * 1000 && play.get(7) === 14400000 && play.get(8) === 2880 && play.get(9) === 312);
check('command_policy_week', JSON.stringify(fields.command_policy_week.get(14).get(3))
    === '[[300,390,31],[1260,300,127,55]]');
const policy = fields.command_policy_daily_minutes.get(14);
check('command_policy_daily_minutes', policy.get(1) === 80 && policy.get(2) === 420 && policy.get(4) === 90
    && JSON.stringify(policy.get(3)) === '[[300,390],[1020,1110]]');
const receipt = fields.receipt;
check('receipt', receipt.get(5) === 3 && receipt.get(8) === receipt.get(9) + receipt.get(10) && receipt.get(14) === 2315);
check('telemetry', fields.telemetry.get(7) === 1 && fields.telemetry.get(15) === 'rp2350');

const keys = fields.telemetry_keys;
const certificate = fields.command_authority.get(17).get(1);
check('telemetry_keys', keys.get(16) === 3 && keys.get(17) === 2 && keys.get(19).equals(Buffer.alloc(16, 0xa1))
    && keys.get(18).equals(createHash('sha256').update(certificate).digest().subarray(0, 8)));
check('command_areas', fields.command_areas.get(16).length === 2 && fields.command_areas.get(16)[1].equals(Buffer.alloc(16, 0xa1)));
check('command_authority_alone', fields.command_authority_alone.get(17).get(2) === true && !fields.command_authority.get(17).has(2));

// What two sides agree on. Node wants keys in DER.
const privateKey = (name) => createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), vector(name)]), format: 'der', type: 'pkcs8',
});
const publicKey = (bytes) => createPublicKey({
    key: Buffer.concat([Buffer.from('302a300506032b656e032100', 'hex'), bytes]), format: 'der', type: 'spki',
});
const [devicePublic, serverPublic] = [vector('key_device_public'), vector('key_ephemeral_public')];
const agree = (mine, theirs, salt, info) => Buffer.from(
    hkdfSync('sha256', diffieHellman({ privateKey: privateKey(mine), publicKey: publicKey(theirs) }), salt, info, 32),
);
const nextInfo = Buffer.concat([Buffer.from('loa/1 next secret'), Buffer.from([0, 0, 0, 1])]);
const claimInfo = Buffer.concat([Buffer.from('loa/1 claim'), devicePublic, serverPublic]);
const nextSecret = agree('key_device_private', serverPublic, secret, nextInfo);
check('key_next_secret', nextSecret.equals(vector('key_next_secret'))
    && agree('key_ephemeral_private', devicePublic, secret, nextInfo).equals(nextSecret));
check('key_claimed_secret', agree('key_device_private', serverPublic, Buffer.alloc(0), claimInfo).equals(vector('key_claimed_secret')));
const order = fields.command_rotate.get(18);
check('command_rotate', order.get(1) === 1 && order.get(2).equals(serverPublic));
const rotation = fields.rotation;
check('rotation', rotation.get(4) === 1 && rotation.get(5).equals(devicePublic) && rotation.get(6).equals(serverPublic));
check('succession', fields.succession.get(1) === 2 && fields.succession.get(2).length === 32);

// Claims.
const digest = createHash('sha256').update(devicePublic).digest();
const [request, requestEnd] = cbor(vector('claim_request'));
check('claim_request', requestEnd === vector('claim_request').length && request.get(1).equals(devicePublic)
    && request.get(2) === '0.1.0' && request.get(3) === 'rp2350' && request.get(4) === 1);
const signs = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const bits = BigInt(`0x${digest.subarray(0, 10).toString('hex')}`);
const code = Array.from({ length: 16 }, (_, n) => signs[Number((bits >> BigInt(75 - 5 * n)) & 31n)]).join('').replace(/(.{4})(?=.)/g, '$1-');
check('claim_code', code === vector('claim_code').toString() && `loa:claim:${code}` === vector('claim_code_qr').toString());
for (const word of ['request', 'answer']) {
    check(`topic_claim_${word}`, vector(`topic_claim_${word}`).toString()
        === `loa/1/claim/${digest.subarray(0, 16).toString('hex')}/${word}`);
}
const answer = fields.claim_answer;
check('claim_answer', answer.get(1).equals(devicePublic) && answer.get(2).equals(serverPublic)
    && answer.get(3).get(1).equals(Buffer.alloc(16, 0x11)) && answer.get(3).get(9) === 5004 && !answer.get(3).has(2));
check('claim_answer_replacing', fields.claim_answer_replacing.get(3).get(13) === 3);
for (const name of ['claim_configuration', 'claim_configuration_begun']) {
    const bytes = vector(name);
    const [map, end] = cbor(bytes.subarray(6));
    check(name, bytes.toString('utf8', 0, 4) === 'LOA0' && bytes.readUInt16BE(4) === bytes.length - 6 && end === bytes.length - 6
        && map.get(3).length === 32 && map.get(5) === 'mqtt.loa.example' && map.get(6) === 8883 && map.get(7).length === 256
        && (name === 'claim_configuration' ? !map.has(2) : map.get(2).equals(vector('key_device_private')) && map.get(11) === 2));
}

// Enrolments.
const rotating = cbor(vector('enrolment_rotating').subarray(6))[0];
check('enrolment_rotating', rotating.get(2).equals(nextSecret) && rotating.get(11) === 2 && rotating.get(12).equals(certificate)
    && rotating.get(13) === 1 && rotating.get(14).get(1).equals(secret) && rotating.get(14).get(2).equals(serverPublic)
    && rotating.get(14).get(3).equals(devicePublic));
for (const name of names.filter((name) => /^enrolment(_tls|_unknown)?$/.test(name))) {
    const bytes = vector(name);
    const [map, end] = cbor(bytes.subarray(6));
    check(name, bytes.toString('utf8', 0, 4) === 'LOA1' && bytes.readUInt16BE(4) === bytes.length - 6 && end === bytes.length - 6
        && map.get(2).equals(secret) && map.get(4).length === 2 && map.get(5) === 'mqtt.loa.example' && map.get(9) === 5004);
}

// Sound.
function opened(key, salt, index, plain, sealed, tag) {
    const nonce = Buffer.from(salt);
    const counter = Buffer.alloc(12);
    counter.writeUInt32BE(0xdecafbad, 2);
    counter.writeUIntBE(index, 6, 6);
    const cipher = createDecipheriv('aes-128-gcm', key, nonce.map((byte, n) => byte ^ counter[n]));
    cipher.setAAD(plain).setAuthTag(tag);
    return Buffer.concat([cipher.update(sealed), cipher.final()]);
}
const srtp = vector('srtp');
const payload = opened(rtpKey, rtpSalt, 131074, srtp.subarray(0, 12), srtp.subarray(12, -16), srtp.subarray(-16));
check('srtp', Buffer.concat([srtp.subarray(0, 12), payload]).equals(vector('rtp')));
const srtcp = vector('srtcp');
const trailer = srtcp.subarray(-4);
const aad = Buffer.concat([srtcp.subarray(0, 8), trailer]);
const report = opened(rtcpKey, rtcpSalt, trailer.readUInt32BE() & 0x7fffffff, aad, srtcp.subarray(8, -20), srtcp.subarray(-20, -4));
check('srtcp', Buffer.concat([srtcp.subarray(0, 8), report]).equals(vector('rtcp')));

console.log(`${checked} checks, ${failed} failed`);
process.exitCode = failed === 0 && checked > 30 ? 0 : 1;
