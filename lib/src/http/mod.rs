//! The status server without its sockets: requests in, responses out, rendered from a snapshot.
