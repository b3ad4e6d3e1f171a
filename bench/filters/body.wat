;; body: holds the response's body back until it is whole, copies it in, makes its first byte "#",
;; and puts it back whole. The length stays, so "content-length" stays true.
(module
  (import "env" "proxy_get_buffer_bytes"
    (func $buffer (param $kind i32) (param $start i32) (param $size i32) (param $to i32) (param $to_size i32) (result i32)))
  (import "env" "proxy_set_buffer_bytes"
    (func $set_buffer (param $kind i32) (param $start i32) (param $size i32) (param $from i32) (param $from_size i32) (result i32)))
  (memory (export "memory") 4)
  ;; 0x00, 0x04: where the host writes a pointer and a length. From 0x100: room for one body.

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (if (i32.gt_u (local.get $size) (i32.const 0x3ff00)) (then unreachable))
    i32.const 0x100)
  (func (export "proxy_on_context_create") (param $context i32) (param $parent i32))
  (func (export "proxy_on_vm_start") (param $context i32) (param $size i32) (result i32)
    i32.const 1)
  (func (export "proxy_on_configure") (param $context i32) (param $size i32) (result i32)
    i32.const 1)

  (func $must (param $status i32)
    (if (local.get $status) (then unreachable)))

  (func (export "proxy_on_response_body") (param $context i32) (param $size i32) (param $end i32) (result i32)
    ;; 1: wait for more.
    (if (i32.eqz (local.get $end)) (then (return (i32.const 1))))
    (if (i32.eqz (local.get $size)) (then (return (i32.const 0))))
    (call $must (call $buffer
      (i32.const 1) (i32.const 0) (local.get $size) (i32.const 0x00) (i32.const 0x04)))
    (i32.store8 (i32.load (i32.const 0x00)) (i32.const 0x23))
    (call $must (call $set_buffer
      (i32.const 1) (i32.const 0) (local.get $size) (i32.load (i32.const 0x00)) (i32.load (i32.const 0x04))))
    i32.const 0))
