//! The file of a picture of few colours: PNG (W3C PNG, second edition, ISO/IEC 15948) with a palette.

use super::canvas::Canvas;
use crate::journal::crc32;

/// How hard the data is squeezed, of 10; higher takes twice the time for a hundredth of the size.
const LEVEL: u8 = 6;

/// Writes it.
pub(super) fn encode(canvas: &Canvas) -> Vec<u8> {
    // 4 bits for each pixel where the colours are that few.
    let bits = if canvas.palette.len() <= 16 { 4 } else { 8 };
    let mut rows = Vec::with_capacity((canvas.width + 1) * canvas.height);
    for row in canvas.pixels.chunks(canvas.width.max(1)) {
        // Filter 0: rows of palette indices are best left as they are.
        rows.push(0);
        match bits {
            4 => rows.extend(row.chunks(2).map(|pair| {
                let right = pair.get(1).copied().unwrap_or(0);
                pair[0] << 4 | right
            })),
            _ => rows.extend_from_slice(row),
        }
    }
    let data = miniz_oxide::deflate::compress_to_vec_zlib(&rows, LEVEL);
    drop(rows);
    let mut file = Vec::with_capacity(data.len() + 1024);
    file.extend_from_slice(b"\x89PNG\r\n\x1a\n");
    let mut head = Vec::with_capacity(13);
    head.extend_from_slice(&(canvas.width as u32).to_be_bytes());
    head.extend_from_slice(&(canvas.height as u32).to_be_bytes());
    // Bits, colour type 3 (palette), deflate, filters of the standard, not interlaced.
    head.extend_from_slice(&[bits, 3, 0, 0, 0]);
    chunk(&mut file, b"IHDR", &head);
    chunk(&mut file, b"PLTE", &canvas.palette.concat());
    chunk(&mut file, b"IDAT", &data);
    chunk(&mut file, b"IEND", &[]);
    file
}

fn chunk(file: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    file.extend_from_slice(&(data.len() as u32).to_be_bytes());
    let from = file.len();
    file.extend_from_slice(kind);
    file.extend_from_slice(data);
    let sum = crc32(&file[from..]);
    file.extend_from_slice(&sum.to_be_bytes());
}
