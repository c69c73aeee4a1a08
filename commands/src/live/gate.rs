//! What may be on its way to a device at once: the window of what it has not confirmed, and how much of it is in memory.

/// How much a stream carries at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// Messages that were given and are not confirmed.
    pub(super) messages: usize,
    /// The sum of their octets.
    pub(super) octets: usize,
    /// Octets of messages that wait in memory to be given.
    pub(super) queue_octets: usize,
}

/// How much more fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) messages: usize,
    pub(super) octets: usize,
}

/// Whether messages go to a stream as they arrive. A stream that has no room for one falls *behind*: from then on it asks the
/// tables for what waits, in their order, until it has caught up.
#[derive(Debug)]
pub(super) struct Gate {
    window: Window,
    held: Room,
    queued_octets: usize,
    is_behind: bool,
    /// Whether something has arrived, or may have, since the tables were asked last.
    has_missed: bool,
}

impl Gate {
    /// A gate of a stream that begins: behind, until it has asked the tables once.
    pub(super) const fn new(window: Window) -> Self {
        let held = Room { messages: 0, octets: 0 };
        Self { window, held, queued_octets: 0, is_behind: true, has_missed: true }
    }

    /// A message has arrived. Gives whether it may be queued; if not, the stream is behind.
    pub(super) const fn offer(&mut self, octets: usize) -> bool {
        let fits = self.held.messages < self.window.messages
            && (self.held.messages == 0 || self.held.octets + octets <= self.window.octets)
            && (self.queued_octets == 0 || self.queued_octets + octets <= self.window.queue_octets);
        if self.is_behind || !fits {
            self.fall_behind();
            return false;
        }
        self.hold(octets);
        self.queued_octets += octets;
        true
    }

    /// A queued message was taken out of the queue.
    pub(super) const fn unqueue(&mut self, octets: usize) {
        self.queued_octets = self.queued_octets.saturating_sub(octets);
    }

    /// A message is given that the tables told of.
    pub(super) const fn hold(&mut self, octets: usize) {
        self.held.messages += 1;
        self.held.octets += octets;
    }

    /// A message no longer counts: it is confirmed, or was not given after all.
    pub(super) const fn release(&mut self, octets: usize) {
        self.held.messages = self.held.messages.saturating_sub(1);
        self.held.octets = self.held.octets.saturating_sub(octets);
    }

    /// Something may have arrived that nobody offers.
    pub(super) const fn fall_behind(&mut self) {
        self.is_behind = true;
        self.has_missed = true;
    }

    pub(super) const fn queued_octets(&self) -> usize {
        self.queued_octets
    }

    pub(super) const fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// How much may be asked of the tables now. None while less than half of the window is free: else the tables would be
    /// asked for every message that is confirmed.
    pub(super) const fn room(&self) -> Option<Room> {
        let is_half_free = self.held.messages * 2 <= self.window.messages && self.held.octets * 2 <= self.window.octets;
        if !is_half_free {
            return None;
        }
        let messages = self.window.messages - self.held.messages;
        let octets = self.window.octets - self.held.octets;
        Some(Room {
            messages,
            octets: if octets < self.window.queue_octets { octets } else { self.window.queue_octets },
        })
    }

    /// The tables are about to be asked.
    pub(super) const fn ask(&mut self) {
        self.has_missed = false;
    }

    /// All that the tables told of was given. Gives whether nothing has arrived since they were asked: then messages are
    /// offered from now on.
    pub(super) const fn catch_up(&mut self) -> bool {
        self.is_behind = self.has_missed;
        !self.is_behind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { messages: 4, octets: 100, queue_octets: 60 };

    fn live() -> Gate {
        let mut gate = Gate::new(WINDOW);
        gate.ask();
        assert!(gate.catch_up());
        gate
    }

    #[test]
    fn a_stream_begins_behind_and_what_arrives_meanwhile_makes_it_ask_again() {
        let mut gate = Gate::new(WINDOW);
        assert!(gate.is_behind() && !gate.offer(1));
        gate.ask();
        assert!(!gate.offer(1));
        assert!(!gate.catch_up(), "what was refused since is in the tables");
        gate.ask();
        assert!(gate.catch_up() && gate.offer(1));
    }

    #[test]
    fn a_full_window_makes_it_fall_behind_until_half_is_free() {
        let mut gate = live();
        for _ in 0..4 {
            assert!(gate.offer(10));
            gate.unqueue(10);
        }
        assert!(!gate.offer(10) && gate.is_behind() && gate.room().is_none());
        gate.release(10);
        assert_eq!(gate.room(), None);
        gate.release(10);
        assert_eq!(gate.room(), Some(Room { messages: 2, octets: 60 }));
        assert!(!gate.offer(10), "the tables are asked first: an older one is there");
    }

    #[test]
    fn octets_are_counted_in_the_queue_and_in_the_window() {
        let mut gate = live();
        assert!(gate.offer(50));
        assert!(!gate.offer(20), "the queue is full");
        let mut gate = live();
        for _ in 0..2 {
            assert!(gate.offer(45));
            gate.unqueue(45);
        }
        assert!(!gate.offer(20), "the window is full");
        // One that is larger than all of it is given alone.
        let mut gate = live();
        assert!(gate.offer(1000) && !gate.offer(1));
    }
}
