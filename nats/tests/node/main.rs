//! A node of the tests that is a process of its own.

mod serving;

fn main() -> anyhow::Result<()> {
    env_logger::init();
    serving::serve(std::env::args().skip(1))
}
