//! Limits of typed maps.

/// Types in each other, as in `list<list<u8>>`: more is a mistake or an attack on the reader's stack.
pub const TYPE_DEPTH_MAX: usize = 16;
/// Records in each other once all names are looked up: values are read by code that calls itself.
pub const VALUE_DEPTH_MAX: usize = 64;
/// The highest number of a field: what the wire format has room for.
pub const FIELD_NUMBER_MAX: u32 = (1 << 29) - 1;
/// Types of one schema: far beyond what people write, little enough to look through.
pub const TYPES_MAX: usize = 4096;
/// Fields of a record, cases of a variant, names of an enum: a type with more is made by a machine
/// that means harm.
pub const PARTS_MAX: usize = 1024;
/// Values that a default value is made of, records in records counted each time: a few records that
/// hold each other twice would otherwise fill memory.
pub const DEFAULT_PARTS_MAX: usize = 1 << 16;
/// Values that an entry is made of when it is shown. A record of defaults is two bytes of a message, so
/// that an entry of a mebibyte could stand for more than there is memory; this many take some hundred.
pub const DECODED_VALUES_MAX: usize = 1 << 20;
/// Maps of one schema.
pub const MAPS_MAX: usize = 1024;
/// Bytes of the section that holds a module's schemas: the largest real ones have a hundredth.
pub const SECTION_BYTES_MAX: usize = 1 << 20;
/// Different schemas in that section: one for each file of declarations that a module was built with.
pub const SECTION_SCHEMAS_MAX: usize = 64;
/// Bytes of one source file.
pub const SOURCE_BYTES_MAX: u64 = 4 << 20;
/// Fields of one record with a layout: a C struct of this many members is a mistake.
pub const LAYOUT_BYTES_MAX: usize = 1 << 16;
