#![no_std]
pub mod mqtt; pub mod outbox; pub mod transport;
pub const MAXM: usize = 768;
use embassy_net::{Stack, tcp::TcpSocket, IpEndpoint, Ipv4Address};
pub async fn bringup(stack: Stack<'static>) -> mqtt::Ended {
    let mut rx = [0;4096]; let mut tx=[0;4096];
    let mut s = TcpSocket::new(stack,&mut rx,&mut tx);
    if s.connect(IpEndpoint::new(Ipv4Address::new(10,0,2,2).into(), 21883)).await.is_err() { return mqtt::Ended::Broken }
    let cell = core::cell::RefCell::new(s);
    let ob = outbox::Outbox::new();
    let cr = mqtt::Credentials{name:"abc",password:b"x",will:("loa/w",b"gone")};
    mqtt::session(transport::Shared(&cell), &cr, &ob, || { let _ = ob.try_send(outbox::Message::subscribe("loa/t").unwrap()); let _ = ob.try_send(outbox::Message::publish("loa/s", b"up", true, true).unwrap()); }, |_t,p| { let _ = ob.try_send(outbox::Message::publish("loa/echo", p, false,false).unwrap()); }).await
}
