//! Jobs that wait: the urgent ones first, then one of each asker by turns, so that nobody's many keep another's few
//! waiting for more than those that are under way.

/// A number that stands for who asks: equal for the same client, and most likely for no other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Asker(pub u64);

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Priority {
    /// Before what waits, and beyond the queue's limit.
    Urgent,
    /// By turns, as long as there is room.
    Ordinary,
}

struct Waiting<T> {
    number: u64,
    priority: Priority,
    asker: Asker,
    /// An asker's jobs are in as many rounds, one after the other.
    round: u64,
    job: T,
}

/// A queue. All of it is looked through for each job that is taken: it is not long.
pub(super) struct Queue<T> {
    waiting: Vec<Waiting<T>>,
    next: u64,
    /// That of the job that was taken last.
    round: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { waiting: Vec::new(), next: 0, round: 0 }
    }
}

impl<T> Queue<T> {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.waiting.iter().map(|waiting| &waiting.job)
    }

    /// Adds a job, and gives the number by which it can be taken back.
    pub(super) fn push(&mut self, asker: Asker, priority: Priority, job: T) -> u64 {
        let number = self.next;
        self.next += 1;
        let last =
            self.waiting.iter().filter(|waiting| waiting.asker == asker).map(|waiting| waiting.round).max();
        let round = last.map_or(self.round, |last| self.round.max(last + 1));
        self.waiting.push(Waiting { number, priority, asker, round, job });
        number
    }

    /// Takes the job whose turn it is.
    pub(super) fn pop(&mut self) -> Option<(u64, T)> {
        let turn = |waiting: &Waiting<T>| match waiting.priority {
            Priority::Urgent => (Priority::Urgent, 0, waiting.number),
            Priority::Ordinary => (Priority::Ordinary, waiting.round, waiting.number),
        };
        let (index, _) = self.waiting.iter().enumerate().min_by_key(|(_, waiting)| turn(waiting))?;
        let taken = self.waiting.swap_remove(index);
        self.round = self.round.max(taken.round);
        Some((taken.number, taken.job))
    }

    /// Takes a job back. False: it has been taken.
    pub(super) fn withdraw(&mut self, number: u64) -> bool {
        let before = self.len();
        self.waiting.retain(|waiting| waiting.number != number);
        self.len() < before
    }

    /// Takes the last job of whoever has most, if that is more than `asker` has with one more.
    pub(super) fn displace(&mut self, asker: Asker) -> Option<T> {
        let count = |asker| self.waiting.iter().filter(|waiting| waiting.asker == asker).count();
        let ordinary =
            self.waiting.iter().enumerate().filter(|(_, waiting)| waiting.priority == Priority::Ordinary);
        let (index, last) = ordinary.max_by_key(|(_, waiting)| (count(waiting.asker), waiting.round))?;
        (count(last.asker) > count(asker) + 1).then(|| self.waiting.swap_remove(index).job)
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.waiting.retain(|waiting| keep(&waiting.job));
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Takes all, in no order.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = T> {
        self.waiting.drain(..).map(|waiting| waiting.job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Asker = Asker(1);
    const B: Asker = Asker(2);
    const C: Asker = Asker(3);

    fn filled(jobs: &[(Asker, &'static str)]) -> Queue<&'static str> {
        let mut queue = Queue::default();
        for (asker, job) in jobs {
            queue.push(*asker, Priority::Ordinary, *job);
        }
        queue
    }

    fn rest(queue: &mut Queue<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.pop()).map(|(_, job)| job).collect()
    }

    #[test]
    fn askers_take_turns_and_each_ones_jobs_keep_their_order() {
        let mut queue = filled(&[(A, "a1"), (A, "a2"), (A, "a3"), (B, "b1"), (C, "c1"), (B, "b2")]);
        assert_eq!(queue.pop().unwrap().1, "a1");
        // Who comes later is not behind all that is there.
        queue.push(Asker(4), Priority::Ordinary, "d1");
        assert_eq!(rest(&mut queue), ["b1", "c1", "d1", "a2", "b2", "a3"]);
        assert!(queue.is_empty() && queue.pop().is_none());
    }

    #[test]
    fn urgent_jobs_come_first_in_their_own_order() {
        let mut queue = filled(&[(A, "a1"), (A, "a2")]);
        queue.push(A, Priority::Urgent, "u1");
        queue.push(B, Priority::Urgent, "u2");
        assert_eq!(rest(&mut queue), ["u1", "u2", "a1", "a2"]);
    }

    #[test]
    fn what_is_taken_back_is_gone() {
        let mut queue = filled(&[(A, "a1")]);
        let number = queue.push(A, Priority::Ordinary, "a2");
        assert!(queue.withdraw(number) && !queue.withdraw(number));
        assert_eq!(rest(&mut queue), ["a1"]);
    }

    #[test]
    fn whoever_has_most_makes_room_for_who_has_less() {
        let mut queue = filled(&[(A, "a1"), (A, "a2"), (A, "a3"), (B, "b1")]);
        assert_eq!(queue.displace(A), None, "not for itself");
        assert_eq!(queue.displace(C), Some("a3"));
        assert_eq!(queue.displace(B), None, "two and two would be no fairer");
        assert_eq!(queue.displace(C), Some("a2"));
        assert_eq!(queue.displace(C), None);
        assert_eq!(rest(&mut queue), ["a1", "b1"]);
    }
}
