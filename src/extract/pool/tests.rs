use std::sync::mpsc;
use std::time::Duration;

use super::worker::Job;
use super::*;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

fn call(name: &str) -> Call {
    Call::Select { formats: String::new(), selector: name.into() }
}

fn url(job: &Job) -> String {
    match &job.call {
        Call::Extract { url, .. } => url.clone(),
        Call::Select { selector, .. } => selector.clone(),
    }
}

fn submit(pool: &Pool, name: &str) -> Result<oneshot::Receiver<Answer>, Refused> {
    pool.submit(call(name), Asker::default(), Priority::Ordinary, Instant::now() + LONG).map(|job| job.answer)
}

/// Nobody is ever told anything.
struct Loose;

impl Reins for Loose {
    fn stop(&self, _: u64, _: Box<dyn Fn() -> bool + Send>) {}
}

/// Who is told to stop, passed on.
struct Tells(Mutex<mpsc::Sender<u64>>);

impl Reins for Tells {
    fn stop(&self, handle: u64, should: Box<dyn Fn() -> bool + Send>) {
        if should() {
            let _ = self.0.lock().unwrap().send(handle);
        }
    }
}

/// A pool whose workers say what they take and answer when they are told to.
struct Held {
    pool: Pool,
    taken: mpsc::Receiver<String>,
    go: mpsc::Sender<()>,
}

fn held(max_workers: usize, max_queue: usize) -> Held {
    let (tell, taken) = mpsc::channel();
    let (go, wait) = mpsc::channel();
    let wait = Mutex::new(wait);
    let tell = Mutex::new(tell);
    let live = move |worker: &Worker| {
        worker.ready(0);
        while let Some(job) = worker.next() {
            tell.lock().unwrap().send(url(&job)).unwrap();
            if wait.lock().unwrap().recv().is_err() {
                return Ok(());
            }
            let answer = url(&job);
            drop(job.over().send(Ok(answer)));
        }
        Ok(())
    };
    let pool = Pool::start(max_workers, max_queue, LONG, live, Loose);
    Held { pool, taken, go }
}

#[tokio::test]
async fn answers_in_order_and_bounds_the_queue() {
    let held = held(1, 2);
    let first = submit(&held.pool, "1").unwrap();
    assert_eq!(held.taken.recv().unwrap(), "1");
    let second = submit(&held.pool, "2").unwrap();
    let third = submit(&held.pool, "3").unwrap();
    assert_eq!(submit(&held.pool, "4").unwrap_err(), Refused::Full);
    assert_eq!(held.pool.stats(), PoolStats { workers: 1, busy: 1, warm: 1, stuck: 0, queued: 2 });
    for _ in 0..3 {
        held.go.send(()).unwrap();
    }
    for (answer, name) in [(first, "1"), (second, "2"), (third, "3")] {
        assert_eq!(answer.await.unwrap(), Ok(name.into()));
    }
}

#[tokio::test]
async fn skips_a_job_whose_client_has_gone() {
    let held = held(1, 2);
    let first = submit(&held.pool, "1").unwrap();
    assert_eq!(held.taken.recv().unwrap(), "1");
    drop(submit(&held.pool, "left").unwrap());
    drop(submit(&held.pool, "left too").unwrap());
    let last = submit(&held.pool, "last").expect("those who left make room");
    held.go.send(()).unwrap();
    held.go.send(()).unwrap();
    first.await.unwrap().unwrap();
    assert_eq!(last.await.unwrap(), Ok("last".into()));
    assert_eq!(held.taken.try_iter().collect::<Vec<_>>(), ["last"]);
}

#[tokio::test]
async fn a_selection_goes_first_and_has_room_always() {
    let held = held(1, 1);
    let first = submit(&held.pool, "1").unwrap();
    assert_eq!(held.taken.recv().unwrap(), "1");
    let second = submit(&held.pool, "2").unwrap();
    let select = Call::Select { formats: "[]".into(), selector: "best".into() };
    let selection =
        held.pool.submit(select, Asker::default(), Priority::Urgent, Instant::now() + LONG).unwrap().answer;
    for _ in 0..3 {
        held.go.send(()).unwrap();
    }
    for answer in [first, selection, second] {
        answer.await.unwrap().unwrap();
    }
    assert_eq!(held.taken.try_iter().collect::<Vec<_>>(), ["best", "2"]);
}

#[tokio::test]
async fn grows_to_its_maximum_and_no_further() {
    let held = held(3, 10);
    let answers: Vec<_> = (0..5).map(|n| submit(&held.pool, &n.to_string()).unwrap()).collect();
    for _ in 0..3 {
        held.taken.recv().unwrap();
    }
    assert_eq!(held.pool.stats(), PoolStats { workers: 3, busy: 3, warm: 3, stuck: 0, queued: 2 });
    for _ in 0..5 {
        held.go.send(()).unwrap();
    }
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn without_a_queue_every_worker_still_gets_its_job() {
    let held = held(3, 0);
    // At once, whether or not the workers have begun to wait.
    let answers: Vec<_> = (0..3).map(|n| submit(&held.pool, &n.to_string()).unwrap()).collect();
    assert_eq!(submit(&held.pool, "more").unwrap_err(), Refused::Full);
    for _ in 0..3 {
        held.go.send(()).unwrap();
    }
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_lost_worker_ends_its_job_and_is_replaced() {
    let live = |worker: &Worker| {
        worker.ready(0);
        while let Some(job) = worker.next() {
            match url(&job).as_str() {
                "panic" => panic!("on purpose"),
                "fail" => return Err("on purpose".into()),
                _ => drop(job.over().send(Ok("fine".into()))),
            }
        }
        Ok(())
    };
    let pool = Pool::start(1, 10, LONG, live, Loose);
    for bad in ["panic", "fail"] {
        assert!(submit(&pool, bad).unwrap().await.is_err());
        // The worker says that it has gone only after its job has: a job that comes between is lost too.
        while submit(&pool, "good").unwrap().await.is_err() {}
    }
}

#[tokio::test]
async fn closing_refuses_and_drops_what_waits() {
    let held = held(1, 10);
    let _first = submit(&held.pool, "1").unwrap();
    held.taken.recv().unwrap();
    let waiting = submit(&held.pool, "2").unwrap();
    held.pool.close();
    assert!(waiting.await.is_err());
    assert_eq!(submit(&held.pool, "3").unwrap_err(), Refused::Closed);
}

#[tokio::test]
async fn a_job_that_nobody_has_begun_can_be_withdrawn() {
    let held = held(1, 10);
    let late = Instant::now() + LONG;
    let begun = held.pool.submit(call("1"), Asker::default(), Priority::Ordinary, late).unwrap();
    held.taken.recv().unwrap();
    let waits = held.pool.submit(call("2"), Asker::default(), Priority::Ordinary, late).unwrap();
    assert!(!held.pool.withdraw(begun.number));
    assert!(held.pool.withdraw(waits.number));
    assert!(waits.answer.await.is_err());
    held.go.send(()).unwrap();
    assert_eq!(begun.answer.await.unwrap(), Ok("1".into()));
    assert!(held.taken.try_recv().is_err());
}

/// A pool of one worker whose job "hang" ends only when it is told so, and what it was told.
fn hanging() -> (Pool, mpsc::Receiver<u64>, mpsc::Sender<()>) {
    let (tell, told) = mpsc::channel();
    let (end, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let live = move |worker: &Worker| {
        worker.ready(7);
        while let Some(job) = worker.next() {
            if url(&job) == "hang" {
                let _ = wait.lock().unwrap().recv();
            }
            drop(job.over().send(Ok("back".into())));
        }
        Ok(())
    };
    let pool = Pool::start(1, 10, LONG, live, Tells(Mutex::new(tell)));
    (pool, told, end)
}

#[tokio::test]
async fn a_job_that_outlives_its_deadline_is_told_to_stop() {
    let (pool, told, end) = hanging();
    let job = pool.submit(call("hang"), Asker::default(), Priority::Ordinary, Instant::now()).unwrap();
    assert_eq!(told.recv().unwrap(), 7);
    end.send(()).unwrap();
    assert_eq!(job.answer.await.unwrap(), Ok("back".into()));
    assert_eq!(pool.stats(), PoolStats { workers: 1, warm: 1, ..PoolStats::default() });
}

#[tokio::test]
async fn a_stuck_worker_is_replaced_and_may_come_back() {
    let (pool, told, end) = hanging();
    let _stuck = pool.submit(call("hang"), Asker::default(), Priority::Ordinary, Instant::now()).unwrap();
    // Waits behind the stuck one, and is taken by the one that replaces it.
    assert_eq!(submit(&pool, "other").unwrap().await.unwrap(), Ok("back".into()));
    assert_eq!(pool.stats(), PoolStats { workers: 1, warm: 1, stuck: 1, ..PoolStats::default() });
    assert!(told.iter().take(2).count() == 2, "it is told again");
    end.send(()).unwrap();
    // One of the two is now too many.
    while pool.stats() != (PoolStats { workers: 1, warm: 1, ..PoolStats::default() }) {
        tokio::task::yield_now().await;
    }
    assert_eq!(submit(&pool, "more").unwrap().await.unwrap(), Ok("back".into()));
}

#[tokio::test]
async fn stuck_workers_are_not_replaced_without_end() {
    let (pool, _told, _end) = hanging();
    let _first = pool.submit(call("hang"), Asker::default(), Priority::Ordinary, Instant::now()).unwrap();
    submit(&pool, "other").unwrap().await.unwrap().unwrap();
    assert!(!pool.is_lost());
    let _second = pool.submit(call("hang"), Asker::default(), Priority::Ordinary, Instant::now()).unwrap();
    while pool.stats() != (PoolStats { stuck: 2, ..PoolStats::default() }) {
        tokio::task::yield_now().await;
    }
    // Nobody would take it.
    assert!(pool.is_lost());
    assert_eq!(submit(&pool, "more").unwrap_err(), Refused::Full);
}
