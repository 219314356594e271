//! BER: tags, lengths, and the few types that SNMP uses (RFC 3417 section 8).
