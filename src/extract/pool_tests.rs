use std::sync::mpsc;

use super::*;

fn call(name: &str) -> Call {
    Call::Extract { url: name.into(), options: String::new(), priority: Priority::Ordinary }
}

fn url(job: &Job) -> String {
    match &job.call {
        Call::Extract { url, .. } => url.clone(),
        Call::Select { selector, .. } => selector.clone(),
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
    let pool = Pool::start(max_workers, max_queue, move |worker| {
        while let Some(job) = worker.next() {
            tell.lock().unwrap().send(url(&job)).unwrap();
            if wait.lock().unwrap().recv().is_err() {
                return Ok(());
            }
            let answer = url(&job);
            job.answer(Ok(answer));
        }
        Ok(())
    });
    Held { pool, taken, go }
}

#[tokio::test]
async fn answers_in_order_and_bounds_the_queue() {
    let held = held(1, 2);
    let first = held.pool.submit(call("1")).unwrap();
    assert_eq!(held.taken.recv().unwrap(), "1");
    let second = held.pool.submit(call("2")).unwrap();
    let third = held.pool.submit(call("3")).unwrap();
    assert_eq!(held.pool.submit(call("4")).unwrap_err(), Refused::Full);
    assert_eq!(held.pool.stats(), PoolStats { workers: 1, busy: 1, warm: 1, queued: 2 });
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
    let first = held.pool.submit(call("1")).unwrap();
    assert_eq!(held.taken.recv().unwrap(), "1");
    drop(held.pool.submit(call("left")).unwrap());
    drop(held.pool.submit(call("left too")).unwrap());
    let last = held.pool.submit(call("last")).expect("those who left make room");
    held.go.send(()).unwrap();
    held.go.send(()).unwrap();
    first.await.unwrap().unwrap();
    assert_eq!(last.await.unwrap(), Ok("last".into()));
    assert_eq!(held.taken.try_iter().collect::<Vec<_>>(), ["last"]);
}

#[tokio::test]
async fn a_selection_goes_first_and_has_room_always() {
    let held = held(1, 1);
    let first = held.pool.submit(call("1")).unwrap();
    assert_eq!(held.taken.recv().unwrap(), "1");
    let second = held.pool.submit(call("2")).unwrap();
    let select = Call::Select { formats: "[]".into(), selector: "best".into() };
    let selection = held.pool.submit(select).unwrap();
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
    let answers: Vec<_> = (0..5).map(|n| held.pool.submit(call(&n.to_string())).unwrap()).collect();
    for _ in 0..3 {
        held.taken.recv().unwrap();
    }
    assert_eq!(held.pool.stats(), PoolStats { workers: 3, busy: 3, warm: 3, queued: 2 });
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
    let answers: Vec<_> = (0..3).map(|n| held.pool.submit(call(&n.to_string())).unwrap()).collect();
    assert_eq!(held.pool.submit(call("more")).unwrap_err(), Refused::Full);
    for _ in 0..3 {
        held.go.send(()).unwrap();
    }
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_lost_worker_ends_its_job_and_is_replaced() {
    let pool = Pool::start(1, 10, |worker| {
        while let Some(job) = worker.next() {
            match url(&job).as_str() {
                "panic" => panic!("on purpose"),
                "fail" => return Err("on purpose".into()),
                _ => job.answer(Ok("fine".into())),
            }
        }
        Ok(())
    });
    for bad in ["panic", "fail"] {
        assert!(pool.submit(call(bad)).unwrap().await.is_err());
        // The worker says that it has gone only after its job has: a job that comes between is lost too.
        while pool.submit(call("good")).unwrap().await.is_err() {}
    }
}

#[tokio::test]
async fn closing_refuses_and_drops_what_waits() {
    let held = held(1, 10);
    let _first = held.pool.submit(call("1")).unwrap();
    held.taken.recv().unwrap();
    let waiting = held.pool.submit(call("2")).unwrap();
    held.pool.close();
    assert!(waiting.await.is_err());
    assert_eq!(held.pool.submit(call("3")).unwrap_err(), Refused::Closed);
}
