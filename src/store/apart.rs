//! How a simulated house uses the real database: its work runs to the end on the thread that asks, so that nothing else
//! happens meanwhile and the same lots give the same history; and whoever simulates says what fails and how long it
//! takes. The daemon never has one.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use tokio::runtime::Handle;

/// Before and after what is asked of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Before,
    /// It is done; an error here is a success that nobody hears of.
    After,
}

/// How long a piece of work waits, and whether it fails. It is asked once before the work and once after it.
pub type Plan = Arc<dyn Fn(&'static str, When) -> (Duration, io::Result<()>) + Send + Sync>;

/// See the module.
#[derive(Clone)]
pub struct Apart {
    /// Where the database's own tasks run; another than the house's, and one that always runs.
    pub runtime: Handle,
    pub plan: Plan,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Apart {
    /// Asks the plan, waiting on the clock of the house.
    pub(super) async fn at(&self, what: &'static str, when: When) -> io::Result<()> {
        let (wait, result) = (self.plan)(what, when);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        result
    }

    /// Runs `work` to its end; this thread does nothing else until then.
    pub(super) fn whole<F: Future>(&self, work: F) -> F::Output {
        let _inside = self.runtime.enter();
        // The house's budget of this turn is not the database's.
        let mut work = pin!(tokio::task::coop::unconstrained(work));
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        loop {
            match work.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(out) => return out,
                Poll::Pending => std::thread::park(),
            }
        }
    }
}
