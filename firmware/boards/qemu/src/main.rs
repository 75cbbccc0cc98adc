#![no_std]
#![no_main]
mod ethernet; mod executor; mod interrupts; mod register; mod semihosting; mod time;
use embassy_net::{Runner, StackResources, Config};
use static_cell::StaticCell;
#[panic_handler] fn panic(i: &core::panic::PanicInfo) -> ! { cortex_m_semihosting::hprintln!("{}", i); cortex_m_semihosting::debug::exit(cortex_m_semihosting::debug::EXIT_FAILURE); loop{} }
#[embassy_executor::task] async fn net(mut r: Runner<'static, ethernet::Ethernet>) -> ! { r.run().await }
#[embassy_executor::task] async fn tick() -> ! { loop { embassy_time::Timer::after_millis(5).await } }
#[embassy_executor::task] async fn app(s: embassy_net::Stack<'static>) -> ! { s.wait_config_up().await; cortex_m_semihosting::hprintln!("up {:?}", s.config_v4()); loop { let e = loa_board_shell::bringup(s).await; cortex_m_semihosting::hprintln!("{:?}", e); embassy_time::Timer::after_millis(500).await; } }
#[cortex_m_rt::entry] fn main() -> ! {
    time::start();
    let e = ethernet::Ethernet::start().expect("no lan");
    cortex_m_semihosting::hprintln!("{:x?}", e.address());
    interrupts::enable();
    static RES: StaticCell<StackResources<8>> = StaticCell::new();
    let (stack, runner) = embassy_net::new(e, Config::dhcpv4(Default::default()), RES.init(StackResources::new()), 1234);
    executor::run(|sp| { sp.spawn(net(runner).unwrap()); sp.spawn(tick().unwrap()); sp.spawn(app(stack).unwrap()); })
}
