; The helpers of ARM's run-time ABI that return two values in registers (IHI 0043, 4.3.1): quotient, then remainder.

declare i32 @__divsi3(i32, i32)
declare i32 @__udivsi3(i32, i32)
declare i64 @__divdi3(i64, i64)
declare i64 @__udivdi3(i64, i64)
declare i64 @__muldi3(i64, i64)
declare i32 @__mulsi3(i32, i32)

define arm_aapcscc { i32, i32 } @__aeabi_idivmod(i32 %a, i32 %b) nounwind {
  %quotient = call i32 @__divsi3(i32 %a, i32 %b)
  %product = mul i32 %quotient, %b
  %rest = sub i32 %a, %product
  %first = insertvalue { i32, i32 } poison, i32 %quotient, 0
  %both = insertvalue { i32, i32 } %first, i32 %rest, 1
  ret { i32, i32 } %both
}

define arm_aapcscc { i32, i32 } @__aeabi_uidivmod(i32 %a, i32 %b) nounwind {
  %quotient = call i32 @__udivsi3(i32 %a, i32 %b)
  %product = mul i32 %quotient, %b
  %rest = sub i32 %a, %product
  %first = insertvalue { i32, i32 } poison, i32 %quotient, 0
  %both = insertvalue { i32, i32 } %first, i32 %rest, 1
  ret { i32, i32 } %both
}

define arm_aapcscc { i64, i64 } @__aeabi_ldivmod(i64 %a, i64 %b) nounwind {
  %quotient = call i64 @__divdi3(i64 %a, i64 %b)
  %product = mul i64 %quotient, %b
  %rest = sub i64 %a, %product
  %first = insertvalue { i64, i64 } poison, i64 %quotient, 0
  %both = insertvalue { i64, i64 } %first, i64 %rest, 1
  ret { i64, i64 } %both
}

define arm_aapcscc { i64, i64 } @__aeabi_uldivmod(i64 %a, i64 %b) nounwind {
  %quotient = call i64 @__udivdi3(i64 %a, i64 %b)
  %product = mul i64 %quotient, %b
  %rest = sub i64 %a, %product
  %first = insertvalue { i64, i64 } poison, i64 %quotient, 0
  %both = insertvalue { i64, i64 } %first, i64 %rest, 1
  ret { i64, i64 } %both
}
