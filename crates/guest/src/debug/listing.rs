//! A function, instruction by instruction, with the types on the operand stack and the open blocks
//! at each, as validation finds them.

use wasmparser::{
    BinaryReader, BlockType, FrameKind, FuncValidator, FunctionBody, Operator, SubType,
    ValidatorResources, WasmModuleResources,
};
use weir_model::limits;

use super::code::{Body, Code, CodeError};
use super::operator;
use super::value::Type;

/// A function, instruction by instruction.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Types of its parameters and locals, and their names where they have any.
    pub locals: Vec<(Type, Option<String>)>,
    /// In the order of the module.
    pub instructions: Vec<Instruction>,
    /// All blocks that it ever opens; the first is the function.
    pub controls: Vec<Control>,
}

/// One instruction.
#[derive(Clone, Debug)]
pub struct Instruction {
    /// Where it stands in the module, in bytes.
    pub offset: u32,
    /// As the text format writes it.
    pub text: String,
    /// Types on the operand stack before it, the bottom first; `None`: any type, for it is never
    /// reached.
    pub stack: Vec<Option<Type>>,
    /// The innermost block that is open before it, by its number in [`Listing::controls`].
    pub control: usize,
    /// Whether validation found that it can be reached.
    pub is_reachable: bool,
    /// What it does besides changing operands.
    pub effect: Effect,
}

/// A block that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// What opened it.
    pub block: Block,
    /// Where that stands in the module.
    pub offset: u32,
    /// How many operands lie below it.
    pub height: usize,
    /// How many operands a branch to it takes along: parameters of a loop, results of all others.
    pub arity: usize,
    /// The block around it.
    pub parent: Option<usize>,
}

/// What opens a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// The function itself.
    Function,
    /// `block`
    Block,
    /// `loop`
    Loop,
    /// `if`
    If,
    /// `else`
    Else,
    /// `try_table`, and what came before it.
    Try,
}

impl Block {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Function => "func",
            Self::Block => "block",
            Self::Loop => "loop",
            Self::If => "if",
            Self::Else => "else",
            Self::Try => "try",
        }
    }
}

/// What an instruction does besides changing operands and locals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// It goes elsewhere, and may leave the function.
    Steer,
    /// It may write anywhere in memory, or make it larger.
    Memory,
    /// It calls something.
    Call {
        /// How many operands stay where they are meanwhile: those below the arguments.
        kept: usize,
    },
}

impl Listing {
    /// Validates a function and notes what is seen on the way.
    pub(super) fn read(code: &Code, function: u32, body: &Body) -> Result<Self, CodeError> {
        let bytes = &code.bytes()[body.range.clone()];
        let reader = BinaryReader::new(bytes, body.range.start);
        let body_reader = FunctionBody::new(reader);
        let mut validator = body.validator();
        validator.read_locals(&mut body_reader.get_binary_reader())?;
        let locals = (0..validator.len_locals()).filter_map(|local| {
            let name = code.names().local(function, local);
            Some((
                Type(validator.get_local_type(local)?),
                name.map(str::to_owned),
            ))
        });
        let listing = Self {
            locals: locals.collect(),
            instructions: Vec::new(),
            controls: Vec::new(),
        };
        let mut operators = body_reader.get_operators_reader()?;
        let mut lister = Lister {
            validator,
            opened: Vec::new(),
            types: 0,
            listing,
        };
        lister.open(place(operators.original_position()));
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset()?;
            let text = operator::text(&operator, function, code.names());
            lister.note(&operator, (offset, text))?;
            if lister.types > limits::debug::LISTED_TYPES_MAX {
                return Err(CodeError::TooDeep(function));
            }
        }
        Ok(lister.listing)
    }

    /// The blocks that are open before an instruction, the outermost first.
    #[must_use]
    pub fn open_at(&self, instruction: &Instruction) -> Vec<&Control> {
        let innermost = self.controls.get(instruction.control);
        let parent = |control: &&Control| self.controls.get(control.parent?);
        let mut controls: Vec<_> = std::iter::successors(innermost, parent).collect();
        controls.reverse();
        controls
    }

    /// The number of the instruction at an offset.
    #[must_use]
    pub fn at(&self, offset: u32) -> Option<usize> {
        let by_offset = |instruction: &Instruction| instruction.offset;
        self.instructions
            .binary_search_by_key(&offset, by_offset)
            .ok()
    }
}

struct Lister {
    validator: FuncValidator<ValidatorResources>,
    /// Numbers of the open blocks, the outermost first.
    opened: Vec<usize>,
    /// Types noted so far.
    types: usize,
    listing: Listing,
}

impl Lister {
    fn note(
        &mut self,
        operator: &Operator<'_>,
        (offset, text): (usize, String),
    ) -> Result<(), CodeError> {
        let heights = 0..self.validator.operand_stack_height() as usize;
        let stack = heights.rev().map(|depth| {
            let ty = self.validator.get_operand_type(depth).flatten();
            ty.map(Type)
        });
        let stack: Vec<_> = stack.collect();
        self.types += stack.len();
        let innermost = self.validator.get_control_frame(0);
        let is_reachable = innermost.is_some_and(|frame| !frame.unreachable);
        self.listing.instructions.push(Instruction {
            offset: place(offset),
            text,
            stack,
            control: self.opened.last().copied().unwrap_or(0),
            is_reachable,
            effect: self.effect(operator),
        });
        self.validator.op(offset, operator)?;
        self.follow(operator, offset);
        Ok(())
    }

    /// Opens and closes blocks as the instruction did.
    fn follow(&mut self, operator: &Operator<'_>, offset: usize) {
        let open = self.validator.control_stack_height() as usize;
        self.opened.truncate(open);
        let is_turn = matches!(
            operator,
            Operator::Else | Operator::Catch { .. } | Operator::CatchAll
        );
        if is_turn {
            // What is open instead of what `if` or `try` opened.
            self.opened.pop();
        }
        if self.opened.len() < open {
            self.open(place(offset));
        }
    }

    fn open(&mut self, offset: u32) {
        let Some(frame) = self.validator.get_control_frame(0) else {
            return;
        };
        let block = match frame.kind {
            _ if self.opened.is_empty() => Block::Function,
            FrameKind::Block => Block::Block,
            FrameKind::Loop => Block::Loop,
            FrameKind::If => Block::If,
            FrameKind::Else => Block::Else,
            FrameKind::TryTable
            | FrameKind::LegacyTry
            | FrameKind::LegacyCatch
            | FrameKind::LegacyCatchAll => Block::Try,
        };
        let control = Control {
            block,
            offset,
            height: frame.height,
            arity: self.arity(block, frame.block_type),
            parent: self.opened.last().copied(),
        };
        self.opened.push(self.listing.controls.len());
        self.listing.controls.push(control);
    }

    /// What an instruction does that is about to be validated.
    fn effect(&self, operator: &Operator<'_>) -> Effect {
        let resources = self.validator.resources();
        let params = |ty: &SubType| ty.unwrap_func().params().len();
        let taken = match operator {
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                let id = resources.type_id_of_function(*function_index);
                id.map(|id| params(resources.sub_type_at_id(id)))
            }
            Operator::CallIndirect { type_index, .. }
            | Operator::ReturnCallIndirect { type_index, .. }
            | Operator::CallRef { type_index }
            | Operator::ReturnCallRef { type_index } => {
                // What is called is an operand, too.
                resources.sub_type_at(*type_index).map(|ty| params(ty) + 1)
            }
            Operator::MemoryGrow { .. }
            | Operator::MemoryFill { .. }
            | Operator::MemoryCopy { .. }
            | Operator::MemoryInit { .. } => return Effect::Memory,
            other => {
                let name = operator::name(other);
                if matches!(other, Operator::End | Operator::Return) || name.contains("_br") {
                    return Effect::Steer;
                }
                let writes = name.contains("store") || name.contains("atomic");
                return if writes { Effect::Memory } else { Effect::None };
            }
        };
        let height = self.validator.operand_stack_height() as usize;
        Effect::Call {
            kept: height.saturating_sub(taken.unwrap_or(0)),
        }
    }

    fn arity(&self, block: Block, ty: BlockType) -> usize {
        match (ty, block) {
            (BlockType::Empty, _) | (BlockType::Type(_), Block::Loop) => 0,
            (BlockType::Type(_), _) => 1,
            (BlockType::FuncType(index), _) => {
                let ty = self.validator.resources().sub_type_at(index);
                let ty = ty.map(SubType::unwrap_func);
                ty.map_or(0, |ty| match block {
                    Block::Loop => ty.params().len(),
                    Block::Function | Block::Block | Block::If | Block::Else | Block::Try => {
                        ty.results().len()
                    }
                })
            }
        }
    }
}

fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
