/// A map of bytes, as a host would keep it.
#[derive(Default)]
struct Memory(RefCell<BTreeMap<Vec<u8>, (Vec<u8>, u64)>>, RefCell<u64>);

impl Memory {
    fn put(&self, key: &[u8], value: &[u8]) -> u64 {
        *self.1.borrow_mut() += 1;
        self.0.borrow_mut().insert(key.to_vec(), (value.to_vec(), *self.1.borrow()));
        *self.1.borrow()
    }
}

impl Store for Memory {
    fn get(&self, key: &[u8]) -> Result<(Vec<u8>, u64), i32> {
        self.0.borrow().get(key).cloned().ok_or(errno::NOENT)
    }
    fn set(&self, key: &[u8], value: &[u8]) -> Result<(), i32> {
        self.put(key, value);
        Ok(())
    }
    fn set_for(&self, key: &[u8], value: &[u8], _: u64) -> Result<u64, i32> {
        Ok(self.put(key, value))
    }
    fn delete(&self, key: &[u8]) -> Result<(), i32> {
        self.0.borrow_mut().remove(key).map(drop).ok_or(errno::NOENT)
    }
    fn exists(&self, key: &[u8]) -> Result<bool, i32> {
        Ok(self.0.borrow().contains_key(key))
    }
    fn compare_and_swap(&self, key: &[u8], expected: u64, value: &[u8]) -> Result<u64, (i32, u64)> {
        let current = self.0.borrow().get(key).map_or(0, |entry| entry.1);
        if current == expected { Ok(self.put(key, value)) } else { Err((errno::AGAIN, current)) }
    }
    fn increment(&self, key: &[u8], delta: i64) -> Result<i64, i32> {
        let old = self.get(key).map_or(0, |(bytes, _)| i64::from_le_bytes(bytes.try_into().unwrap()));
        self.put(key, &(old + delta).to_le_bytes());
        Ok(old + delta)
    }
    fn scan(&self, prefix: &[u8], cursor: &mut [u8; 16]) -> Result<Vec<u8>, i32> {
        // One entry a page, so that cursors are used.
        let entries = self.0.borrow();
        let mut left = entries.iter().filter(|(key, _)| key.starts_with(prefix)).skip(cursor[0] as usize);
        let mut page = Vec::new();
        if let Some((key, (value, version))) = left.next() {
            page.extend_from_slice(&(key.len() as u32).to_le_bytes());
            page.extend_from_slice(&(value.len() as u32).to_le_bytes());
            page.extend_from_slice(&version.to_le_bytes());
            page.extend_from_slice(key);
            page.extend_from_slice(value);
            page.resize(page.len().next_multiple_of(8), 0);
        }
        cursor[0] = if left.next().is_some() { cursor[0] + 1 } else { 0 };
        Ok(page)
    }
    fn watch(&self, _: &[u8]) -> Result<u32, i32> {
        Ok(1)
    }
    fn next(&self, _: u32, _: i64) -> Result<Vec<u8>, i32> {
        let mut page = Vec::new();
        for (kind, key) in [(1_u32, &b"ann"[..]), (7, b"")] {
            page.extend_from_slice(&kind.to_le_bytes());
            page.extend_from_slice(&(key.len() as u32).to_le_bytes());
            page.extend_from_slice(&9_u64.to_le_bytes());
            page.extend_from_slice(key);
            page.resize(page.len().next_multiple_of(8), 0);
        }
        Ok(page)
    }
}

fn maps() {
    use gen_::demo::*;
    use gen_::weir_map::{Change, Error};

    let users: Users<Memory> = Map::over(Memory::default());
    let ann = User { name: "Ann".into(), id: -7, ..Default::default() };
    assert_eq!(users.get(&"ann".into()), Ok(None));
    users.set(&"ann".into(), &ann).unwrap();
    assert_eq!(users.get(&"ann".into()).unwrap().unwrap(), (ann.clone(), 1));
    assert_eq!(users.compare_and_swap(&"ann".into(), 9, &ann), Ok(Err(1)));
    assert_eq!(users.compare_and_swap(&"ann".into(), 1, &ann), Ok(Ok(2)));
    assert_eq!(users.delete(&"bob".into()), Ok(false));
    let watch = users.watch(b"").unwrap();
    assert_eq!(users.next(watch, 0).unwrap(), [Change::Set("ann".into(), 9), Change::Resync]);
    users.store().set(b"bad", b"\x0b").unwrap();
    assert!(matches!(users.get(&"bad".into()), Err(Error::Decode(_))));

    let shapes: Shapes<Memory> = Map::over(Memory::default());
    for key in [5, -5, 0, i32::MIN, i32::MAX] {
        shapes.set(&key, &Shape::Circle(key as f32)).unwrap();
    }
    let keys: Vec<_> = shapes.scan(b"").unwrap().into_iter().map(|entry| entry.key).collect();
    assert_eq!(keys, [i32::MIN, -5, 0, 5, i32::MAX]);

    let counters: Counters<Memory> = Map::over(Memory::default());
    assert_eq!(counters.increment(&"hits".into(), 3), Ok(3));
    assert_eq!(counters.increment(&"hits".into(), -5), Ok(-2));
    assert_eq!(counters.get(&"hits".into()).unwrap().unwrap().0, -2);

    let packet = DataPacket { id: 7, value: 0.5 };
    // SAFETY: a record of numbers; this one has zeros in its padding or not, so members are compared.
    let bytes = packet.to_c();
    assert_eq!(std::mem::size_of::<DataPacket>(), DataPacket::SIZE);
    assert_eq!(bytes, [7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f]);
    assert_eq!(DataPacket::from_c(&bytes), Ok(packet.clone()));
    assert_eq!(std::mem::offset_of!(Frame, delta), 30);
    let frame = Frame { kind: 1, packet, colour: Colour::BLUE, last: true, delta: -2 };
    assert_eq!(Frame::from_c(&frame.to_c()), Ok(frame));
    assert!(DataPacket::from_c(&bytes[1..]).is_err());
}
