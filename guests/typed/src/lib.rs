//! Functions of many types: for the tests of exported functions.
#![expect(clippy::same_length_and_capacity, reason = "generated code has it")]

use exports::weir::typed::shapes::{Drawing, Guest as Shapes, Point};

wit_bindgen::generate!({ world: "typed", path: "wit" });

struct Typed;

export!(Typed);

impl Guest for Typed {
    fn process_data(input: String) -> String {
        input.to_uppercase()
    }

    fn reverse(mut input: Vec<u8>) -> Vec<u8> {
        input.reverse();
        input
    }

    fn divide(dividend: u32, divisor: u32) -> Result<u32, String> {
        let nothing = || format!("{dividend} cannot be divided by nothing");
        dividend.checked_div(divisor).ok_or_else(nothing)
    }

    fn forget(input: String) {
        println!("forgot {} bytes", input.len());
    }

    fn answer() -> u32 {
        42
    }

    fn fail(input: String) -> String {
        panic!("with {input}")
    }

    fn turn(input: String) -> String {
        let mut number = input.len();
        loop {
            number = std::hint::black_box(number.wrapping_add(1));
        }
    }
}

impl Shapes for Typed {
    fn same(drawing: Drawing) -> Drawing {
        drawing
    }

    fn moved(point: Point, by: i32) -> Point {
        Point {
            x: point.x + by,
            y: point.y + by,
        }
    }

    fn farthest(points: Vec<Point>) -> Option<Point> {
        points.into_iter().max_by_key(|point| point.x + point.y)
    }
}
