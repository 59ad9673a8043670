//! Jobs that wait: the urgent ones first, then one of each asker by turns, so that nobody's many keep another's few
//! waiting for more than those that are under way.

use std::collections::HashMap;

/// A number that stands for who asks: equal for the same client, and most likely for no other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Asker(pub u64);

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Priority {
    /// Before what waits, and as many more as the queue has room for.
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
    /// Those of the jobs that were taken last, the urgent ones' first.
    rounds: [u64; 2],
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { waiting: Vec::new(), next: 0, rounds: [0; 2] }
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
        let own =
            self.waiting.iter().filter(|waiting| (waiting.asker, waiting.priority) == (asker, priority));
        let (last, present) = (own.map(|waiting| waiting.round).max(), self.rounds[priority as usize]);
        let round = last.map_or(present, |last| present.max(last + 1));
        self.waiting.push(Waiting { number, priority, asker, round, job });
        number
    }

    /// Takes the job whose turn it is.
    pub(super) fn pop(&mut self) -> Option<(u64, T)> {
        let turn = |waiting: &Waiting<T>| (waiting.priority, waiting.round, waiting.number);
        let (index, _) = self.waiting.iter().enumerate().min_by_key(|(_, waiting)| turn(waiting))?;
        let taken = self.waiting.swap_remove(index);
        let round = &mut self.rounds[taken.priority as usize];
        *round = taken.round.max(*round);
        Some((taken.number, taken.job))
    }

    /// Takes a job back. False: it has been taken.
    pub(super) fn withdraw(&mut self, number: u64) -> bool {
        let before = self.len();
        self.waiting.retain(|waiting| waiting.number != number);
        self.len() < before
    }

    /// Jobs of a priority.
    pub(super) fn count(&self, priority: Priority) -> usize {
        self.waiting.iter().filter(|waiting| waiting.priority == priority).count()
    }

    /// Takes the last job of that priority of whoever has most, if that is more than `asker` has with one more.
    pub(super) fn displace(&mut self, asker: Asker, priority: Priority) -> Option<T> {
        let mut counts: HashMap<Asker, usize> = HashMap::new();
        let of_priority =
            || self.waiting.iter().enumerate().filter(|(_, waiting)| waiting.priority == priority);
        for (_, waiting) in of_priority() {
            *counts.entry(waiting.asker).or_default() += 1;
        }
        let count = |asker: &Asker| counts.get(asker).copied().unwrap_or(0);
        let (index, last) =
            of_priority().max_by_key(|(_, waiting)| (count(&waiting.asker), waiting.round))?;
        (count(&last.asker) > count(&asker) + 1).then(|| self.waiting.swap_remove(index).job)
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
    fn urgent_jobs_come_first_and_by_turns() {
        let mut queue = filled(&[(A, "a1"), (A, "a2")]);
        queue.push(A, Priority::Urgent, "u1");
        queue.push(A, Priority::Urgent, "u2");
        queue.push(B, Priority::Urgent, "u3");
        assert_eq!(
            queue.displace(C, Priority::Urgent),
            Some("u2"),
            "urgent ones make room for their like alone"
        );
        assert_eq!(queue.pop().unwrap().1, "u1");
        // They are not counted in the turns of the others.
        queue.push(B, Priority::Ordinary, "b1");
        assert_eq!(rest(&mut queue), ["u3", "a1", "b1", "a2"]);
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
        assert_eq!(queue.displace(A, Priority::Ordinary), None, "not for itself");
        assert_eq!(queue.displace(C, Priority::Ordinary), Some("a3"));
        assert_eq!(queue.displace(B, Priority::Ordinary), None, "two and two would be no fairer");
        assert_eq!(queue.displace(C, Priority::Ordinary), Some("a2"));
        assert_eq!(queue.displace(C, Priority::Ordinary), None);
        assert_eq!(rest(&mut queue), ["a1", "b1"]);
    }
}
