;; cpu: computes for a while, for every request: FNV-1a (64 bits) over 200 000 bytes, which are the
;; sixteen digits below again and again. "x-hash" on the response holds the result in hexadecimal.
(module
  (import "env" "proxy_add_header_map_value"
    (func $add_header (param $map i32) (param $name i32) (param $length i32) (param $value i32) (param $value_length i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0x00) "0123456789abcdef")
  (data (i32.const 0x10) "x-hash")
  ;; 0x20: the sixteen digits of the result.
  (global $hash (mut i64) (i64.const 0))

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32) unreachable)
  (func (export "proxy_on_context_create") (param $context i32) (param $parent i32))
  (func (export "proxy_on_vm_start") (param $context i32) (param $size i32) (result i32)
    i32.const 1)
  (func (export "proxy_on_configure") (param $context i32) (param $size i32) (result i32)
    i32.const 1)

  (func (export "proxy_on_request_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    (local $hash i64) (local $at i32)
    (local.set $hash (i64.const 0xcbf29ce484222325))
    (loop $byte
      (local.set $hash
        (i64.mul
          (i64.xor
            (local.get $hash)
            (i64.load8_u (i32.and (local.get $at) (i32.const 15))))
          (i64.const 0x100000001b3)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $byte (i32.lt_u (local.get $at) (i32.const 200000))))
    (global.set $hash (local.get $hash))
    i32.const 0)

  (func (export "proxy_on_response_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    (local $rest i64) (local $at i32)
    (local.set $rest (global.get $hash))
    (local.set $at (i32.const 16))
    (loop $digit
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 offset=0x20 (local.get $at)
        (i32.load8_u (i32.wrap_i64 (i64.and (local.get $rest) (i64.const 15)))))
      (local.set $rest (i64.shr_u (local.get $rest) (i64.const 4)))
      (br_if $digit (local.get $at)))
    (if (call $add_header (i32.const 2) (i32.const 0x10) (i32.const 6) (i32.const 0x20) (i32.const 16))
      (then unreachable))
    i32.const 0))
