//! The number of an outstanding request.

/// Names one outstanding request. Every ticket is answered exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

impl Ticket {
    /// Who issued it.
    pub fn owner(self) -> u8 {
        (self.0 >> 56) as u8
    }
}

/// Makes tickets. The owner stands in the upper bits, so that the core knows to whom an answer belongs.
pub struct Tickets<'a> {
    owner: u8,
    next: &'a mut u64,
}

impl<'a> Tickets<'a> {
    /// Tickets of one owner.
    pub fn new(owner: u8, next: &'a mut u64) -> Tickets<'a> {
        Tickets { owner, next }
    }

    /// A ticket that was never given out before.
    pub fn issue(&mut self) -> Ticket {
        *self.next += 1;
        Ticket(u64::from(self.owner) << 56 | *self.next)
    }
}
