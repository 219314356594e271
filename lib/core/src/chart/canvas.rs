//! A picture of few colours: shapes gather in a mask, and a colour is laid through it. Each pixel is the number of
//! a colour, which makes the picture small in memory and as a file.

use super::font::{self, Point};

/// Red, green and blue.
pub(super) type Rgb = [u8; 3];

/// How many steps lie between no colour and all of it. More look no smoother, and make the file larger.
const STEPS: u32 = 8;

/// The picture.
pub(super) struct Canvas {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Row by row, indices of `palette`.
    pub(super) pixels: Vec<u8>,
    pub(super) palette: Vec<Rgb>,
    /// How much of each pixel the next colour covers.
    mask: Vec<u8>,
    /// Where the mask is not empty: left, top, right, bottom.
    touched: [usize; 4],
}

/// Where a text stands relative to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Center,
    Right,
}

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Face {
    pub(super) em: f32,
    pub(super) is_bold: bool,
    pub(super) color: Rgb,
}

impl Canvas {
    /// `colors` are drawn exactly, however many others there are; the first one is the ground.
    pub(super) fn new(width: usize, height: usize, colors: Vec<Rgb>) -> Canvas {
        Canvas {
            width,
            height,
            pixels: vec![0; width * height],
            palette: colors,
            mask: vec![0; width * height],
            touched: [usize::MAX, usize::MAX, 0, 0],
        }
    }

    /// Adds a stroke with round ends to the mask.
    pub(super) fn stroke(&mut self, a: Point, b: Point, half_width: f32) {
        let reach = half_width + 0.5;
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let length_2 = dx * dx + dy * dy;
        if !length_2.is_finite() {
            return;
        }
        let length = length_2.sqrt();
        let [top, bottom] = range(a.1.min(b.1) - reach, a.1.max(b.1) + reach, self.height);
        let (left, right) = (a.0.min(b.0) - reach, a.0.max(b.0) + reach);
        for y in top..bottom {
            let row_y = y as f32 + 0.5;
            let (mut from, mut to) = (left, right);
            if dy.abs() > 0.5 {
                // Where this row comes near the line.
                let x = a.0 + (row_y - a.1) * dx / dy;
                let half = reach * length / dy.abs();
                (from, to) = (from.max(x - half), to.min(x + half));
            }
            let [from, to] = range(from, to, self.width);
            for x in from..to {
                let (px, py) = (x as f32 + 0.5 - a.0, row_y - a.1);
                let along = match length_2 > 0.0 {
                    true => ((px * dx + py * dy) / length_2).clamp(0.0, 1.0),
                    false => 0.0,
                };
                let (ex, ey) = (px - along * dx, py - along * dy);
                let distance_2 = ex * ex + ey * ey;
                if distance_2 < reach * reach {
                    let cover = (reach - distance_2.sqrt()).min(1.0);
                    self.cover(x, y, (cover * 255.0) as u8);
                }
            }
        }
    }

    /// Adds a part of a pixel column to the mask.
    pub(super) fn column(&mut self, x: usize, top: f32, bottom: f32) {
        if x >= self.width || top >= bottom {
            return;
        }
        let [from, to] = range(top, bottom, self.height);
        for y in from..to {
            let covered = bottom.min(y as f32 + 1.0) - top.max(y as f32);
            self.cover(x, y, (covered.clamp(0.0, 1.0) * 255.0) as u8);
        }
    }

    /// Adds a rectangle to the mask: left, top, right, bottom.
    pub(super) fn rectangle(&mut self, sides: [f32; 4]) {
        let [left, top, right, bottom] = sides;
        let [from, to] = range(left, right, self.width);
        for x in from..to {
            self.column(x, top, bottom);
        }
    }

    /// Adds a filled polygon that bulges nowhere inwards; its corners go round clockwise.
    pub(super) fn polygon(&mut self, corners: &[Point]) {
        let bounds = corners
            .iter()
            .fold([f32::MAX, f32::MAX, f32::MIN, f32::MIN], |all, at| {
                [
                    all[0].min(at.0),
                    all[1].min(at.1),
                    all[2].max(at.0),
                    all[3].max(at.1),
                ]
            });
        let [left, right] = range(bounds[0] - 1.0, bounds[2] + 1.0, self.width);
        let [top, bottom] = range(bounds[1] - 1.0, bounds[3] + 1.0, self.height);
        for y in top..bottom {
            for x in left..right {
                let at = (x as f32 + 0.5, y as f32 + 0.5);
                let outside = corners.iter().enumerate().map(|(index, from)| {
                    let to = corners[(index + 1) % corners.len()];
                    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
                    let length = (dx * dx + dy * dy).sqrt().max(1e-6);
                    ((at.0 - from.0) * dy - (at.1 - from.1) * dx) / length
                });
                let outside = outside.fold(f32::MIN, f32::max);
                self.cover(x, y, ((0.5 - outside).clamp(0.0, 1.0) * 255.0) as u8);
            }
        }
    }

    /// Lays a colour through the mask, `share` of it at most, and empties the mask.
    pub(super) fn paint(&mut self, color: Rgb, share: f32) {
        let [left, top, right, bottom] = self.touched;
        // What a colour and a step of this paint make together; 256 until it is known.
        let mut mixes = vec![256u16; 256 * (STEPS as usize + 1)];
        for y in top..bottom {
            for at in y * self.width + left..y * self.width + right {
                let covered = std::mem::take(&mut self.mask[at]);
                let step = (u32::from(covered) * STEPS + 127) / 255;
                if step == 0 {
                    continue;
                }
                let under = self.pixels[at];
                let place = usize::from(under) * (STEPS as usize + 1) + step as usize;
                if mixes[place] == 256 {
                    let mixed = self.mix(under, color, step as f32 / STEPS as f32 * share);
                    mixes[place] = u16::from(mixed);
                }
                self.pixels[at] = mixes[place] as u8;
            }
        }
        self.touched = [usize::MAX, usize::MAX, 0, 0];
    }

    /// Writes a text on a baseline; returns its width.
    pub(super) fn text(&mut self, text: &str, at: Point, align: Align, face: Face) -> f32 {
        let width = font::width(text, face.em);
        let left = match align {
            Align::Left => at.0,
            Align::Center => at.0 - width / 2.0,
            Align::Right => at.0 - width,
        };
        let pen = font::pen(face.em, face.is_bold);
        font::write(text, face.em, (left, at.1), &mut |from, to| {
            self.stroke(from, to, pen);
        });
        self.paint(face.color, 1.0);
        width
    }

    fn cover(&mut self, x: usize, y: usize, covered: u8) {
        let pixel = &mut self.mask[y * self.width + x];
        *pixel = covered.max(*pixel);
        let [left, top, right, bottom] = &mut self.touched;
        (*left, *top) = ((*left).min(x), (*top).min(y));
        (*right, *bottom) = ((*right).max(x + 1), (*bottom).max(y + 1));
    }

    /// The colour that a share of another one over a colour makes.
    fn mix(&mut self, under: u8, over: Rgb, share: f32) -> u8 {
        let below = self.palette[usize::from(under)];
        let mut mixed = [0; 3];
        for (channel, value) in mixed.iter_mut().enumerate() {
            let (low, high) = (f32::from(below[channel]), f32::from(over[channel]));
            *value = (low + (high - low) * share + 0.5) as u8;
        }
        let apart = |other: &Rgb| {
            let parts = mixed.iter().zip(other);
            parts
                .map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2))
                .sum::<u32>()
        };
        let nearest = (self.palette.iter().enumerate()).min_by_key(|(_, color)| apart(color));
        match nearest {
            // Nobody sees that two colours are this near to each other.
            Some((index, color)) if apart(color) < 12 || self.palette.len() == 256 => index as u8,
            _ => {
                self.palette.push(mixed);
                (self.palette.len() - 1) as u8
            }
        }
    }
}

/// The whole pixels that a stretch touches, within a length.
fn range(from: f32, to: f32, length: usize) -> [usize; 2] {
    let from = from.floor().max(0.0) as usize;
    let to = (to.ceil().max(0.0) as usize).min(length);
    [from.min(to), to]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_never_has_more_than_256_colours() {
        let mut canvas = Canvas::new(64, 64, vec![[255; 3]]);
        for n in 0..60u8 {
            let color = [n.wrapping_mul(37), n.wrapping_mul(91), n.wrapping_mul(13)];
            canvas.stroke((f32::from(n), 0.0), (63.0 - f32::from(n), 63.0), 1.3);
            canvas.paint(color, 0.7);
        }
        assert!(canvas.palette.len() <= 256);
        let most = canvas.pixels.iter().max().map(|most| usize::from(*most));
        assert!(most < Some(canvas.palette.len()));
    }

    #[test]
    fn shapes_outside_are_cut_off() {
        let mut canvas = Canvas::new(8, 8, vec![[0; 3]]);
        canvas.stroke((-1e30, f32::NAN), (5.0, 1e30), 1.0);
        canvas.stroke((-50.0, 4.5), (50.0, 4.5), 0.5);
        canvas.column(9, 0.0, 4.0);
        canvas.column(1, 5.0, 3.0);
        canvas.rectangle([-9.0, -9.0, 2.0, 2.0]);
        canvas.paint([255; 3], 1.0);
        let row = |y: usize| &canvas.pixels[y * 8..y * 8 + 8];
        assert!(row(4).iter().all(|pixel| *pixel != 0));
        assert!(row(6).iter().all(|pixel| *pixel == 0));
        assert_eq!((row(1)[1] != 0, row(2)[2]), (true, 0));
    }
}
