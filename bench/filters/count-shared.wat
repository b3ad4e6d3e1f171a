;; count-shared: each request counts a number in shared data up by a thousand, one by one: reads it,
;; writes it back plus one with compare-and-swap, again where somebody was faster. It answers by itself:
;; the number after the last step, as sixteen hexadecimal digits. It stands under "counter", eight bytes.
(module
  (import "env" "proxy_get_shared_data"
    (func $shared (param $key i32) (param $length i32) (param $to i32) (param $to_size i32) (param $to_cas i32) (result i32)))
  (import "env" "proxy_set_shared_data"
    (func $set_shared (param $key i32) (param $length i32) (param $value i32) (param $value_length i32) (param $cas i32) (result i32)))
  (import "env" "proxy_send_local_response"
    (func $answer (param $status i32) (param $details i32) (param $details_length i32) (param $body i32) (param $body_length i32) (param $headers i32) (param $headers_length i32) (param $grpc i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0x00) "counter")
  ;; 0x40, 0x44, 0x48: pointer, length and cas from the host. 0x50: the number; 0x60: as sixteen digits.
  ;; From 0x100: a value.
  (data (i32.const 0x80) "0123456789abcdef")

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (if (i32.gt_u (local.get $size) (i32.const 0xff00)) (then unreachable))
    i32.const 0x100)
  (func (export "proxy_on_context_create") (param $context i32) (param $parent i32))
  (func (export "proxy_on_vm_start") (param $context i32) (param $size i32) (result i32)
    i32.const 1)
  (func (export "proxy_on_configure") (param $context i32) (param $size i32) (result i32)
    i32.const 1)

  ;; The number as it is now; 0 before the first request. 1: not found.
  (func $current (result i64) (local $status i32)
    (i32.store (i32.const 0x48) (i32.const 0))
    (local.set $status (call $shared
      (i32.const 0x00) (i32.const 7) (i32.const 0x40) (i32.const 0x44) (i32.const 0x48)))
    (if (i32.eq (local.get $status) (i32.const 1)) (then (return (i64.const 0))))
    (if (local.get $status) (then unreachable))
    (i64.load (i32.load (i32.const 0x40))))

  ;; As hexadecimal digits at 0x60.
  (func $print (param $number i64) (local $at i32)
    (local.set $at (i32.const 16))
    (loop $next
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (i32.add (i32.const 0x60) (local.get $at))
        (i32.load8_u (i32.add (i32.const 0x80) (i32.and (i32.wrap_i64 (local.get $number)) (i32.const 15)))))
      (local.set $number (i64.shr_u (local.get $number) (i64.const 4)))
      (br_if $next (local.get $at))))

  (func (export "proxy_on_request_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    (local $left i32) (local $status i32)
    (local.set $left (i32.const 1000))
    (loop $next
      (loop $again
        (i64.store (i32.const 0x50) (i64.add (call $current) (i64.const 1)))
        (local.set $status (call $set_shared
          (i32.const 0x00) (i32.const 7) (i32.const 0x50) (i32.const 8) (i32.load (i32.const 0x48))))
        ;; 8: somebody wrote in between.
        (br_if $again (i32.eq (local.get $status) (i32.const 8))))
      (if (local.get $status) (then unreachable))
      (br_if $next (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (call $print (i64.load (i32.const 0x50)))
    (if (call $answer (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 0x60) (i32.const 16)
          (i32.const 0) (i32.const 0) (i32.const -1)) (then unreachable))
    i32.const 1))
